import { atTheDesk, confirmMail, heading, picture, startCheck } from "./steps.js";
import { expect, test } from "./test.js";

test.use({ room: "identity" });

test("a signer starts a check without an invitation and watches it move by itself", async ({ world, person, visitor }) => {
  const ada = await person("Ada");
  await picture(ada, "home-new");
  await ada.getByRole("link", { name: "Start identity check" }).click();
  await picture(ada, "identity-check-start");
  await ada.getByRole("button", { name: "Start identity check" }).click(); // no consent yet
  await expect(ada).toHaveURL(`${world.portal}/identity-checks/new`);
  await startCheck(ada, world);
  await ada.evaluate(() => ((window as unknown as { kept: boolean }).kept = true));
  const outside = await visitor();
  await confirmMail(outside, world, "ada@example.test");
  await expect(heading(ada, "Show DigiCert your papers")).toBeVisible();
  await expect(ada.getByRole("link", { name: "Go on with DigiCert" })).toBeVisible();
  await picture(ada, "identity-check-your-turn");
  await atTheDesk(outside, world, "Ada Example", "Submit papers");
  await expect(heading(ada, "DigiCert has your papers")).toBeVisible();
  await atTheDesk(outside, world, "Ada Example", "Start review");
  await expect(heading(ada, "DigiCert is looking at your papers")).toBeVisible();
  await atTheDesk(outside, world, "Ada Example", "Verified");
  await expect(heading(ada, "An admin decides")).toBeVisible();
  await expect(ada.locator("[aria-current=step]")).toContainText("An admin of Example BV");
  expect(await ada.evaluate(() => (window as unknown as { kept: boolean }).kept)).toBe(true); // never reloaded
  await ada.goto(world.portal);
  await expect(ada.getByRole("main")).toContainText("An admin of Example BV");
  await picture(ada, "home-waiting");
});

test("the server asks for consent and keeps the choice", async ({ world, person }) => {
  const ben = await person("Ben");
  await ben.goto(`${world.portal}/identity-checks/new`);
  await ben.getByRole("radio", { name: "Basic" }).check();
  await ben.locator("form").evaluateAll((forms: HTMLFormElement[]) => forms.forEach((f) => (f.noValidate = true)));
  const [answer] = await Promise.all([ben.waitForResponse((r) => r.request().method() === "POST"), ben.getByRole("button", { name: "Start identity check" }).click()]);
  expect(answer.status()).toBe(422);
  await expect(ben.getByText(/Without your consent/)).toBeVisible();
  await expect(ben.getByRole("radio", { name: "Basic" })).toBeChecked();
});

test("a running check can be cancelled, and a Basic one needs no papers", async ({ world, person, visitor }) => {
  const ben = await person("Ben");
  await startCheck(ben, world);
  await ben.getByRole("button", { name: "Cancel this check" }).click();
  await expect(heading(ben, "This identity check is cancelled")).toBeVisible();
  await startCheck(ben, world, "Basic");
  const outside = await visitor();
  await confirmMail(outside, world, "ben@example.test");
  await expect(heading(ben, "An admin decides")).toBeVisible();
});
