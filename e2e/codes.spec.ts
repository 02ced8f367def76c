import { pdf } from "./papers.js";
import { codeOf, credential, download, file, heading, picture, pinOf, press, pressUnchecked, toTheCode, upload, wrong } from "./steps.js";
import { expect, test } from "./test.js";
import { run } from "./world.js";

test.use({ room: "codes" });
test.describe.configure({ mode: "serial" });

const ada = "ada@example.test";
const ben = "ben@example.test";

test("an empty, a misshapen and a wrong code are told apart in place, and only the wrong one is tried", async ({ world, person, visitor }) => {
  const [page, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, page, cleo, outside, "Ada", "Basic natural person");
  await upload(page, world, file("Wrong code.pdf", pdf("Wrong code")));
  await toTheCode(page);
  const before = (await world.ledger()).length;
  await pressUnchecked(press(page));
  await expect(page.getByText("Enter the code first. Nothing was signed.")).toBeVisible();
  await page.locator("#otp").fill("abc-def");
  await pressUnchecked(press(page));
  await expect(page.getByText(/does not look like the code/)).toBeVisible();
  expect(await world.since(before)).toEqual({}); // neither went anywhere

  const code = await codeOf(outside, world, ada);
  await page.locator("#otp").fill(wrong(code));
  await press(page).click();
  await expect(page.getByText("That is not the code we sent. 3 tries left.")).toBeVisible();
  await expect(page.locator("#otp")).toBeFocused();
  await picture(page, "sign-code-wrong");
  expect(await world.since(before)).toEqual({ "otp_try wrong": 1 });

  // What is being typed outlives the page's own updates.
  await page.goto(page.url().replace(/\/authorize$/, ""));
  await page.locator("#otp").fill(code.slice(0, 3));
  await page.evaluate(() => new Promise<void>((resolve) => document.addEventListener("htmx:after:swap", () => resolve(), { once: true })));
  await expect(page.locator("#otp")).toHaveValue(code.slice(0, 3));
  await expect(page.locator("#otp")).toBeFocused();

  // Digits of another script, with spaces between them, are the same digits.
  await page.locator("#otp").fill([...code].map((digit) => String.fromCodePoint(0x0660 + Number(digit))).join(" "));
  await pressUnchecked(press(page));
  await expect(heading(page, "Signed, and checked.")).toBeVisible();
  expect(await world.since(before)).toEqual({ "otp_try wrong": 1, "otp_try ok": 1, sad_issued: 1, signed: 1 });

  // The same form once more, as from another tab: one signature stays one.
  const again = await page.request.post(`${page.url()}/authorize`, { form: { otp: code }, headers: { origin: world.portal } });
  expect(again.ok()).toBe(true);
  expect(await again.text()).toContain("Signed, and checked.");
  expect(await world.since(before)).toEqual({ "otp_try wrong": 1, "otp_try ok": 1, sad_issued: 1, signed: 1 });
});

test("a PIN that is wrong four times ends the signing, and what is right comes too late", async ({ world, person, visitor }) => {
  const [page, cleo, outside] = [await person("Ben"), await person("Cleo"), await visitor()];
  await credential(world, page, cleo, outside, "Ben", "Advanced natural person, P-256");
  await upload(page, world, file("Locked.pdf", pdf("Locked")));
  await toTheCode(page);
  const ceremony = page.url();
  const pin = await pinOf(outside, world, ben);
  const before = (await world.ledger()).length;
  for (const left of ["3 tries left", "2 tries left", "1 try left"]) {
    await page.locator("#pin").fill(wrong(pin));
    await press(page).click();
    await expect(page.getByText(left)).toBeVisible();
    await expect(page.locator("#pin")).toHaveValue(""); // a PIN is never sent back
  }
  await page.locator("#pin").fill(wrong(pin));
  await press(page).click();
  await expect(page.getByText(/many wrong codes in a row/).first()).toBeVisible();
  await expect(page.getByText("Nothing was signed").first()).toBeVisible();
  await picture(page, "sign-locked");
  expect(await world.since(before)).toEqual({ "pin_try wrong": 4 });
  const late = await page.request.post(`${ceremony}/authorize`, { form: { pin }, headers: { origin: world.portal } });
  expect(await late.text()).toContain("Nothing was signed");
  expect(await world.since(before)).toEqual({ "pin_try wrong": 4 }); // it was not even tried
});

test("of two credentials one is chosen: a P-256 key that asks for a code and no PIN", async ({ world, person, visitor }) => {
  const [page, cleo, outside] = [await person("Ben"), await person("Cleo"), await visitor()];
  await credential(world, page, cleo, outside, "Ben", "Basic natural person, one at a time");
  const original = pdf("One at a time");
  await upload(page, world, file("One at a time.pdf", original));
  await page.getByRole("link", { name: "Sign 1 document" }).first().click();
  await page.getByRole("radio", { name: /, Basic/ }).check();
  await page.getByRole("button", { name: "Check 1 document" }).click();
  await page.getByRole("button", { name: "Send the code" }).click();
  await expect(page.locator("#pin")).toHaveCount(0);
  await page.locator("#otp").fill(await codeOf(outside, world, ben));
  await press(page).click();
  await expect(heading(page, "Signed, and checked.")).toBeVisible();
  const got = await download(page, world);
  expect(got.bytes.subarray(0, original.length).equals(original)).toBe(true);
  const reader = run("pdfsig", got.path).out;
  expect(reader).toContain("Signature is Valid");
  expect(reader).toContain("Total document signed");
  expect(run("../bin/portal", "verify", "-json", "-roots", world.roots, got.path).out).toContain("ECDSA");
});

test("codes are sent once in half a minute, however often the button is pressed", async ({ world, person }) => {
  const page = await person("Ada");
  await upload(page, world, file("Code after code.pdf", pdf("Code after code")));
  await page.getByRole("link", { name: "Sign 1 document" }).first().click();
  await page.getByRole("button", { name: "Check 1 document" }).click();
  await page.waitForURL(/\/ceremonies\//);
  const ceremony = page.url();
  const before = (await world.ledger()).length;
  await expect(async () => {
    // The first test's code may be younger than half a minute still.
    const answer = await page.request.post(`${ceremony}/code`, { headers: { origin: world.portal } });
    expect(await answer.text()).toContain("Enter the code we sent you");
  }).toPass({ timeout: 40_000, intervals: [1000] });
  const answers = await Promise.all(Array.from({ length: 10 }, () => page.request.post(`${ceremony}/code`, { headers: { origin: world.portal } })));
  for (const answer of answers) {
    expect(answer.status()).toBe(429);
    expect(Number(answer.headers()["retry-after"])).toBeGreaterThan(0);
  }
  expect(await world.since(before)).toEqual({ otp_sent: 1 });
});

test("a code that ran out signs nothing", async ({ world, person, visitor }) => {
  const [page, outside] = [await person("Ada"), await visitor()];
  await page.goto(`${world.portal}/documents`);
  await page.getByRole("link", { name: "Code after code.pdf" }).click();
  await page.getByRole("link", { name: /Go on|Sign 1 document|Enter/ }).first().click();
  await page.waitForURL(/\/ceremonies\//);
  const code = await codeOf(outside, world, ada);
  const before = (await world.ledger()).length;
  await world.control("clock", { advance: "6m" }); // DTM's clock: a code lives five minutes there
  await page.locator("#otp").fill(code);
  await press(page).click();
  await expect(page.getByText("That is not the code we sent.")).toBeVisible();
  expect(await world.since(before)).toEqual({ "otp_try wrong": 1 });
  await world.control("clock", { advance: "-6m" }); // a time stamp of a clock that is wrong would not be taken
});
