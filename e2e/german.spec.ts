import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { pdf } from "./papers.js";
import { atTheDesk, codeOf, confirmMail, file, heading, issue, pinOf } from "./steps.js";
import { expect, test } from "./test.js";

// The main job in German, in a browser that asks for German: nobody sets anything before.
test.use({ room: "german" });
test.describe.configure({ mode: "serial" });

const email = "ada@example.test";
const german = { locale: "de-DE", timezoneId: "Europe/Berlin" };

/** The page is German, fits a phone, and axe finds nothing on it. */
async function well(page: Page): Promise<void> {
  await expect(page.locator("html")).toHaveAttribute("lang", "de");
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`)).toEqual([]);
  const before = page.viewportSize()!;
  for (const width of [320, 390]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate(() => document.scrollingElement!.scrollWidth - document.scrollingElement!.clientWidth), `${page.url()} at ${width} px`).toBe(0);
  }
  await page.setViewportSize(before);
}

test("a person with a German browser signs a document, from the identity check to the signed file", async ({ world, person, visitor }) => {
  test.setTimeout(180_000);
  const [ada, cleo, outside] = [await person("Ada", german), await person("Cleo"), await visitor()];
  await expect(heading(ada, "Zeigen Sie einmal, wer Sie sind, und signieren Sie dann in Minuten.")).toBeVisible();
  await well(ada);
  await ada.getByRole("link", { name: "Identitätsprüfung beginnen" }).click();
  await ada.getByRole("radio", { name: "Fortgeschritten+" }).check();
  await ada.getByRole("checkbox").check();
  await well(ada);
  await ada.getByRole("button", { name: "Identitätsprüfung beginnen" }).click();
  await expect(heading(ada, "E-Mail bestätigen")).toBeVisible();
  await confirmMail(outside, world, email);
  await atTheDesk(outside, world, "Ada Example", "Submit papers", "Start review", "Verified");
  await expect(heading(ada, "Die Administration entscheidet")).toBeVisible(); // the open stream speaks German too
  await well(ada);

  await cleo.goto(`${world.portal}/review/${ada.url().split("/").pop()}`);
  await cleo.getByRole("button", { name: "Approve Ada Example" }).click();
  await issue(cleo, "Advanced natural person");
  await expect(heading(ada, "Ihr Signaturausweis ist bereit")).toBeVisible();

  await ada.goto(`${world.portal}/documents`);
  await well(ada);
  await ada.locator("input[type=file]").setInputFiles(file("Liefervertrag 2026.pdf", pdf("Liefervertrag", 2)));
  await ada.waitForURL(/\/documents\/[0-9a-f]+$/);
  await expect(ada.getByText("Seite 1 von 2")).toBeVisible(); // written by the script, from the page's own words
  await well(ada);
  await ada.getByRole("link", { name: "1 Dokument signieren" }).first().click();
  await well(ada);
  await ada.getByRole("button", { name: "1 Dokument prüfen lassen" }).click();
  await expect(ada.getByText("Die gespeicherte Datei ist Byte für Byte die, die Sie hochgeladen haben.")).toBeVisible();
  await well(ada);
  await ada.getByRole("button", { name: "Code senden" }).click();
  await expect(ada.getByText(/Neuer Code in \d+ s/)).toBeVisible();
  await well(ada);
  await ada.locator("#otp").fill("000000");
  await ada.locator("#pin").fill("000000");
  await ada.getByRole("button", { name: "1 Dokument signieren" }).click();
  await expect(ada.getByText(/Noch \d Versuche?\./).first()).toBeVisible();
  await well(ada);
  await ada.locator("#otp").fill(await codeOf(outside, world, email));
  await ada.locator("#pin").fill(await pinOf(outside, world, email));
  await ada.getByRole("button", { name: "1 Dokument signieren" }).click();
  await expect(heading(ada, "Signiert und geprüft.")).toBeVisible({ timeout: 30_000 });
  await well(ada);
  await ada.getByText("Was wir geprüft haben").click();
  await expect(ada.getByText("Das Zertifikat nennt Ada Example.")).toBeVisible();

  await ada.getByRole("link", { name: "Zu Ihren Dokumenten" }).click();
  await expect(ada.getByText("2 Seiten")).toBeVisible();
  await expect(ada.getByText(/heute um \d\d:\d\d Uhr/).first()).toBeVisible();
});

test("a mail is in the language of who gets it", async ({ world, visitor }) => {
  const outside = await visitor();
  await expect(async () => {
    await outside.goto(`${world.simulator}/mailbox?to=${email}`);
    await expect(outside.getByText("Signiert: Liefervertrag 2026.pdf").first()).toBeVisible({ timeout: 1000 });
  }).toPass({ timeout: 20_000 });
});

test("the language is changed on the account page, and counts for more than the browser", async ({ world, person }) => {
  const ada = await person("Ada", german);
  await ada.goto(`${world.portal}/account`);
  await expect(heading(ada, "Ihr Konto")).toBeVisible();
  await well(ada);
  await expect(ada.getByLabel("Sprache", { exact: true }).locator("option")).toHaveText(["Wie im Browser eingestellt", "English", "Deutsch"]);
  await ada.getByLabel("Sprache", { exact: true }).selectOption({ label: "English" });
  await ada.getByRole("button", { name: "Darstellung speichern" }).click();
  await expect(heading(ada, "Your account")).toBeVisible();
  await expect(ada.locator("html")).toHaveAttribute("lang", "en");
  await ada.getByLabel("Language", { exact: true }).selectOption({ label: "Deutsch" });
  await ada.getByRole("button", { name: "Save the look" }).click();
  await expect(heading(ada, "Ihr Konto")).toBeVisible();
  await expect(ada.getByText("Gespeichert.").first()).toBeVisible();
});

test("whoever is not signed in reads the language of the browser", async ({ world, visitor }) => {
  const somebody = await visitor(german);
  for (const [path, says] of [["/", "Signieren mit Gewissheit."], ["/verify", "Signatur prüfen"], ["/help", "Hilfe"], ["/nothing-here", "Hier ist nichts."]] as const) {
    await somebody.goto(world.portal + path);
    await expect(heading(somebody, says)).toBeVisible();
    await well(somebody);
  }
});
