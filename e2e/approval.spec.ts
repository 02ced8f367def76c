import { pdf } from "./papers.js";
import { credential, download, file, heading, picture, upload } from "./steps.js";
import { expect, test } from "./test.js";
import { run } from "./world.js";

test.use({ room: "approval" });
test.describe.configure({ mode: "serial" });

test("a signer goes to DigiCert’s page, declines there, goes again, approves, and comes back to a signed file", async ({ world, person, visitor }) => {
  const [ben, cleo, outside] = [await person("Ben"), await person("Cleo"), await visitor()];
  await credential(world, ben, cleo, outside, "Ben", "Advanced natural person, approval in the browser");
  await upload(ben, world, file("Approved elsewhere.pdf", pdf("Approved elsewhere", 2)));
  await ben.getByRole("link", { name: "Sign 1 document" }).first().click();
  await ben.getByRole("button", { name: "Check 1 document" }).click();
  await expect(heading(ben, "Checked, and ready for your approval")).toBeVisible();
  await expect(ben.locator("#otp, #pin")).toHaveCount(0);
  await picture(ben, "sign-consent-check");
  const ceremony = ben.url();
  const before = (await world.ledger()).length;

  await ben.getByRole("button", { name: "Approve at DigiCert" }).click();
  await ben.waitForURL(`${world.simulator}/**`);
  await expect(ben.getByText("Sign one document")).toBeVisible();
  // Whoever looks at the page meanwhile, in another tab, sees where the person is.
  const tab = await ben.context().newPage();
  await tab.goto(ceremony);
  await expect(heading(tab, "DigiCert waits for your approval")).toBeVisible();
  await picture(tab, "sign-consent");

  await ben.getByRole("button", { name: "Deny" }).click();
  await ben.waitForURL(ceremony);
  await expect(ben.getByText("You declined at DigiCert.")).toBeVisible();
  await expect(heading(tab, "Checked, and ready for your approval")).toBeVisible(); // told without a reload
  expect(await world.since(before)).toEqual({});

  await ben.getByRole("button", { name: "Approve at DigiCert" }).click();
  await ben.waitForURL(`${world.simulator}/**`);
  await ben.getByRole("button", { name: "Allow" }).click();
  await ben.waitForURL(ceremony);
  await expect(heading(ben, "Signed, and checked.")).toBeVisible({ timeout: 30_000 });
  await expect(heading(tab, "Signed, and checked.")).toBeVisible();
  expect(await world.since(before)).toEqual({ sad_issued: 1, signed: 1 });
  expect(await ben.evaluate(() => document.referrer)).not.toMatch(/code=|state=/);
  const got = await download(ben, world);
  expect(run("../bin/portal", "verify", "-roots", world.roots, got.path).code).toBe(0);
  expect(world.log()).not.toMatch(/[?&](code|state)=/);
});

test("without a script the way to DigiCert’s page and back is the same", async ({ world, person }) => {
  const ben = await person("Ben", { javaScriptEnabled: false });
  await ben.goto(`${world.portal}/documents`);
  await ben.locator("#file").setInputFiles(file("Without a script.pdf", pdf("Without a script")));
  await ben.getByRole("button", { name: "Upload" }).click();
  await ben.getByRole("link", { name: "Sign 1 document" }).first().click();
  await ben.getByRole("button", { name: "Check 1 document" }).click();
  const ceremony = ben.url();
  await ben.getByRole("button", { name: "Approve at DigiCert" }).click();
  await ben.waitForURL(`${world.simulator}/**`);
  await ben.getByRole("button", { name: "Allow" }).click();
  await ben.waitForURL((at) => at.pathname === new URL(ceremony).pathname);
  await expect(heading(ben, "Signed, and checked.")).toBeVisible({ timeout: 30_000 });
});

test("an approval on the phone is left, looked at from elsewhere, and comes back right", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person, app approval");
  const document = await upload(ada, world, file("On the phone.pdf", pdf("On the phone")));
  await ada.getByRole("link", { name: "Sign 1 document" }).first().click();
  await ada.getByRole("button", { name: "Check 1 document" }).click();
  await expect(heading(ada, "Approve it on your phone")).toBeVisible();
  await expect(ada.getByText("“Sign one document”").or(ada.locator("q", { hasText: "Sign one document" }))).toBeVisible();
  const ceremony = ada.url();
  const before = (await world.ledger()).length;
  await ada.getByRole("button", { name: "Ask me on my phone" }).click();
  await expect(heading(ada, "Open the app on your phone and approve")).toBeVisible();
  await picture(ada, "sign-progress-phone");
  const left = ada.locator("[data-wait]");
  const first = Number.parseInt(await left.innerText());
  expect(first).toBeGreaterThan(30);
  await expect(async () => expect(Number.parseInt(await left.innerText())).toBeLessThan(first)).toPass(); // it counts

  await ada.goto(document); // left, and found again from the document
  const tab = await ada.context().newPage();
  await tab.goto(ceremony);
  await expect(heading(tab, "Open the app on your phone and approve")).toBeVisible();
  await ada.goto(ceremony);
  await ada.reload();
  await expect(heading(ada, "Open the app on your phone and approve")).toBeVisible();

  await outside.goto(`${world.simulator}/phone?user=ada@example.test`);
  await expect(outside.getByText("Sign one document")).toBeVisible(); // as the page said
  await outside.getByRole("button", { name: "Approve" }).click();
  for (const page of [ada, tab]) await expect(heading(page, "Signed, and checked.")).toBeVisible({ timeout: 30_000 });
  expect(await world.since(before)).toEqual({ "push approved": 1, sad_issued: 1, signed: 1 });
});
