import { AxeBuilder } from "@axe-core/playwright";
import type { Locator, Page } from "@playwright/test";
import { pdf } from "./papers.js";
import { atTheDesk, codeOf, confirmMail, credential, download, file, heading, pinOf, press, startCheck, upload } from "./steps.js";
import { expect, test } from "./test.js";

test.use({ room: "access" });
test.describe.configure({ mode: "serial" });

const email = "ada@example.test";
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What axe finds on the page that is open: one line a finding. */
async function findings(page: Page, only?: string): Promise<string[]> {
  const axe = new AxeBuilder({ page }).setLegacyMode(true); // no frames of other sites, so no window of its own
  const { violations } = await (only ? axe.withRules(only) : axe.withTags(rules)).analyze();
  return violations.flatMap((v) => v.nodes.map((n) => `${new URL(page.url()).pathname}: ${v.id} at ${n.target.join(" ")}: ${n.failureSummary?.replace(/\s+/g, " ")}`));
}

async function accessible(page: Page): Promise<void> {
  await expect(page.locator("h1")).toHaveCount(1);
  expect(await findings(page)).toEqual([]);
}

async function tabTo(page: Page, to: Locator): Promise<void> {
  await expect(to).toBeVisible();
  for (let i = 0; i < 80; i++) {
    if (await to.evaluate((e) => e === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the Tab key does not come to ${to}`);
}

test("nothing on the way from the first page to a signed file is in the way of an assistive program", async ({ world, person, visitor }) => {
  test.setTimeout(300_000);
  const anyone = await visitor();
  for (const path of ["/", "/verify", "/help", "/accessibility", "/privacy", "/signed-out", "/nothing-here"]) {
    await anyone.goto(world.portal + path);
    await accessible(anyone);
  }

  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await accessible(ada); // home, new here
  await ada.getByRole("link", { name: "Start identity check" }).click();
  await accessible(ada);
  const check = (await startCheck(ada, world)).split("/").pop();
  await accessible(ada);
  await confirmMail(outside, world, email);
  await atTheDesk(outside, world, "Ada Example", "Submit papers", "Start review", "Verified");
  await expect(heading(ada, "An admin decides")).toBeVisible();
  await accessible(ada);
  await cleo.goto(`${world.portal}/review`);
  await accessible(cleo);
  await cleo.goto(`${world.portal}/review/${check}`);
  await accessible(cleo);
  await ada.getByRole("button", { name: "Cancel this check" }).click();
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person, P-256");
  await accessible(ada); // check, done
  await accessible(cleo); // case, decided

  await ada.goto(world.portal);
  await accessible(ada); // home, ready to sign
  await ada.goto(`${world.portal}/documents`);
  await accessible(ada);
  await ada.locator("#file").setInputFiles(file("Letter.pdf", Buffer.from("Dear Ada")));
  await expect(ada.locator("#uploads").getByRole("alert")).toBeVisible();
  await accessible(ada); // a refused file
  await upload(ada, world, file("Contract.pdf", pdf("Contract")));
  await expect(ada.locator("canvas").first()).toBeVisible();
  await accessible(ada);
  await ada.getByRole("link", { name: "Sign 1 document" }).first().click();
  await accessible(ada); // choose
  await ada.getByRole("button", { name: "Check 1 document" }).click();
  await expect(press(ada)).toBeVisible();
  await accessible(ada); // code
  await ada.locator("#pin").fill("000000");
  await press(ada).click();
  await expect(ada.getByText("That is not the PIN.")).toBeVisible();
  await accessible(ada); // a wrong one
  await ada.locator("#pin").fill(await pinOf(outside, world, email));
  await press(ada).click();
  await expect(heading(ada, "Signed, and checked.")).toBeVisible();
  await accessible(ada);
  const got = await download(ada, world);
  await ada.getByRole("link", { name: "See the document" }).click();
  await accessible(ada); // document, signed
  await ada.goto(`${world.portal}/documents`);
  await accessible(ada);

  await anyone.goto(`${world.portal}/verify`);
  await anyone.locator("#file").setInputFiles(got.path);
  await anyone.getByRole("button", { name: /^Verify/ }).click();
  await expect(heading(anyone, "The signature is valid.")).toBeVisible();
  await accessible(anyone);

  for (const path of ["/credentials", "/roles", "/audit", "/audit/dtm", "/account", "/review?show=decided"]) {
    await cleo.goto(world.portal + path);
    await accessible(cleo);
  }
  await cleo.goto(`${world.portal}/audit`);
  await cleo.locator(`main a[href^="/audit/"]:not([href*="dtm"])`).first().click();
  await accessible(cleo);
  await cleo.goto(`${world.portal}/credentials`);
  await cleo.getByRole("row").getByRole("link").first().click();
  await accessible(cleo);
  await cleo.getByRole("link", { name: "Revoke…" }).click();
  await accessible(cleo);
  await cleo.goto(`${world.portal}/documents`);
  await accessible(cleo); // not for this account
});

test("a document is signed with the Tab key, the Enter key and a PIN alone", async ({ world, person, visitor }) => {
  const [ada, outside] = [await person("Ada"), await visitor()];
  const pin = await pinOf(outside, world, email);
  const document = await upload(ada, world, file("By keyboard.pdf", pdf("By keyboard")));
  await ada.goto(document); // nothing was pressed with a mouse from here on
  await ada.keyboard.press("Tab");
  const skip = ada.getByRole("link", { name: "Skip to content" });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await ada.keyboard.press("Enter");
  await expect(ada.locator("#main")).toBeFocused();
  const enter = async (to: Locator) => {
    await tabTo(ada, to);
    const ring = await to.evaluate((e) => getComputedStyle(e).outlineStyle);
    expect(ring).not.toBe("none"); // one sees where one is
    await ada.keyboard.press("Enter");
  };
  await enter(ada.getByRole("link", { name: "Sign 1 document" }).first());
  await enter(ada.getByRole("button", { name: "Check 1 document" }));
  await expect(ada.locator("#pin")).toBeFocused(); // the one field there is has the focus
  await ada.keyboard.type("000000");
  await ada.keyboard.press("Enter");
  await expect(ada.getByText("That is not the PIN.")).toBeVisible();
  await expect(ada.locator("#pin")).toBeFocused();
  await ada.keyboard.type(pin);
  await enter(press(ada));
  await expect(heading(ada, "Signed, and checked.")).toBeVisible();
  const [got] = await Promise.all([ada.waitForEvent("download"), enter(ada.getByRole("link", { name: "Download the signed PDF" }))]);
  expect(got.suggestedFilename()).toBe("By keyboard-signed.pdf");
});

test("the whole way, from signing in to the signed file, goes by keyboard alone", async ({ world, visitor }) => {
  test.setTimeout(180_000);
  const [ben, cleo, outside] = [await visitor(), await visitor(), await visitor()]; // outside is DigiCert’s part, not ours
  const press = async (page: Page, to: Locator, key = "Enter") => {
    await tabTo(page, to);
    await page.keyboard.press(key);
  };
  for (const [page, name] of [[ben, "Ben"], [cleo, "Cleo"]] as const) {
    await page.goto(world.portal);
    await press(page, page.getByRole("link", { name: "Sign in" }));
    await press(page, page.getByRole("button", { name: `Sign in as ${name}` }));
    await page.waitForURL(`${world.portal}/`);
  }

  await press(ben, ben.getByRole("link", { name: "Start identity check" }));
  const advanced = ben.getByRole("radio", { name: "Advanced+" });
  await tabTo(ben, advanced);
  await ben.keyboard.press("ArrowDown");
  await expect(ben.getByRole("radio", { name: "Basic" })).toBeChecked();
  await press(ben, ben.getByRole("checkbox"), "Space");
  await press(ben, ben.getByRole("button", { name: "Start identity check" }));
  await expect(heading(ben, "Confirm your e-mail")).toBeVisible();
  await confirmMail(outside, world, "ben@example.test");
  await expect(heading(ben, "An admin decides")).toBeVisible();

  await press(cleo, cleo.getByRole("link", { name: /^Review/ }).first());
  await press(cleo, cleo.getByRole("row").filter({ hasText: "Ben Example" }).getByRole("link").first());
  await press(cleo, cleo.getByRole("button", { name: /^Approve/ }));
  const profile = cleo.getByLabel("Certificate profile");
  await expect(profile).toBeVisible({ timeout: 20_000 });
  await tabTo(cleo, profile);
  await cleo.keyboard.type("Basic");
  await expect(profile.locator("option:checked")).toContainText("Basic");
  await press(cleo, cleo.getByRole("button", { name: "Have 1 credential made" }));
  await expect(heading(ben, "Your credential is ready")).toBeVisible();

  await press(ben, ben.getByRole("link", { name: "Choose a document to sign" }));
  await ben.waitForURL(/\/documents/);
  ben.on("filechooser", () => {}); // asked for before the way there, or a quick Enter comes before the browser knows
  await tabTo(ben, ben.locator("#file"));
  const [chooser] = await Promise.all([ben.waitForEvent("filechooser"), ben.keyboard.press("Enter")]);
  await chooser.setFiles(file("All by keyboard.pdf", pdf("All by keyboard", 2)));
  await ben.waitForURL(/\/documents\/[0-9a-f]+$/);
  await expect(ben.locator("canvas").first()).toBeVisible();
  await press(ben, ben.getByRole("button", { name: "Page after" }));
  await expect(ben.getByText("Page 2 of 2").first()).toBeVisible();
  await press(ben, ben.getByRole("link", { name: "Sign 1 document" }).first());
  await press(ben, ben.getByRole("button", { name: "Check 1 document" }));
  await press(ben, ben.getByRole("button", { name: "Send the code" }));
  await expect(ben.locator("#otp")).toBeFocused();
  await ben.keyboard.type(await codeOf(outside, world, "ben@example.test"));
  await ben.keyboard.press("Enter");
  await expect(heading(ben, "Signed, and checked.")).toBeVisible();
  const [got] = await Promise.all([ben.waitForEvent("download"), press(ben, ben.getByRole("link", { name: "Download the signed PDF" }))]);
  expect(got.suggestedFilename()).toBe("All by keyboard-signed.pdf");
});

test("every page in every state: no finding in light, in dark and in forced colours", async ({ world, visitor }) => {
  test.setTimeout(900_000);
  const page = await visitor({ reducedMotion: "reduce", colorScheme: "light" });
  await page.goto(`${world.portal}/gallery`);
  const paths = await page.locator("ol a").evaluateAll((links) => links.map((a) => a.getAttribute("href")!));
  expect(paths.length).toBeGreaterThan(100);
  const found: string[] = [];
  for (const path of paths) {
    await page.goto(world.portal + path);
    found.push(...(await findings(page)));
    // Only contrast differs from here on.
    for (const look of [{ colorScheme: "dark", forcedColors: "none" }, { colorScheme: "dark", forcedColors: "active" }, { colorScheme: "light", forcedColors: "active" }] as const) {
      await page.emulateMedia(look);
      found.push(...(await findings(page, "color-contrast")).map((f) => `${look.colorScheme}, forced ${look.forcedColors}: ${f}`));
    }
    await page.emulateMedia({ colorScheme: "light", forcedColors: "none" });
  }
  expect(found).toEqual([]);
});
