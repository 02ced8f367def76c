import { readFileSync } from "node:fs";
import { pdf } from "./papers.js";
import { codeOf, credential, download, enterFactors, file, heading, issue, picture, pinOf, revoke, sha256, sign, upload } from "./steps.js";
import { expect, test } from "./test.js";
import { run } from "./world.js";

test.use({ room: "signing" });
test.describe.configure({ mode: "serial" });

const email = "ada@example.test";

test("a signer uploads, reads, signs with a code and a PIN, and independent readers call the file valid", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person");
  await ada.goto(world.portal);
  await picture(ada, "home-ready");
  const original = pdf("Supply agreement", 3);
  await upload(ada, world, file("Supply agreement 2026.pdf", original));

  await expect(heading(ada, "Supply agreement 2026.pdf")).toBeVisible();
  await expect(ada.getByRole("main")).toContainText("3 pages");
  await expect(ada.getByText("Page 1 of 3")).toBeVisible();
  await expect(ada.locator("canvas").first()).toBeVisible(); // drawn by pdf.js under our policy
  await expect(async () => {
    const dark = await ada.locator("canvas").first().evaluate((c: HTMLCanvasElement) => {
      const d = c.getContext("2d")!.getImageData(0, 0, c.width, c.height).data;
      return d.some((v, i) => i % 4 === 0 && v < 100 && d[i + 3] === 255);
    });
    expect(dark).toBe(true); // the text of the page is there
  }).toPass();
  await ada.getByText("Full fingerprint").click();
  const shown = (await ada.getByRole("main").innerText()).replace(/\s+/g, "");
  expect(shown).toContain(sha256(original));
  await picture(ada, "document");
  const words = await ada.locator("[translate=no]").first().innerText();

  await ada.getByRole("link", { name: "Sign 1 document" }).first().click();
  await picture(ada, "sign-choose");
  await ada.getByRole("button", { name: "Check 1 document" }).click();
  await expect(ada.getByText("The stored file is byte for byte the one you uploaded.")).toBeVisible();
  expect((await world.ledger()).filter((e) => e.kind === "otp_sent")).toHaveLength(0); // no code is spent before the checks
  await picture(ada, "sign-check");
  await ada.getByRole("button", { name: /^Send the code/ }).click();
  await expect(ada.locator("#otp")).toBeVisible();
  await expect(ada.getByText(/Send a new code in \d+ s/)).toBeVisible();
  await expect(ada.getByRole("main")).toContainText(words);
  await picture(ada, "sign-code");
  const code = await codeOf(outside, world, email);
  await ada.locator("#otp").fill(`${code.slice(0, 3)} ${code.slice(3)}`); // as it is pasted
  await ada.locator("#pin").fill(await pinOf(outside, world, email));
  await ada.getByRole("button", { name: "Sign 1 document" }).click();
  await expect(heading(ada, "Signed, and checked.")).toBeVisible({ timeout: 30_000 });
  await picture(ada, "sign-result");
  const got = await download(ada, world);
  expect(got.name).toBe("Supply agreement 2026-signed.pdf");
  expect(got.bytes.subarray(0, original.length).equals(original)).toBe(true);

  const reader = run("pdfsig", got.path).out;
  for (const said of ["Signature is Valid", "Total document signed", "Ada Example"]) expect(reader).toContain(said);
  expect(run("qpdf", "--check", got.path).code).toBe(0);
  const judged = run("../bin/portal", "verify", "-roots", `${world.data}/roots.pem`, got.path);
  expect(judged.out).toMatch(/PAdES B-L?T\b/); // B-LT as soon as the issuer has published data from after the signature
  expect(judged.code).toBe(0);
  expect(run("../bin/portal", "verify", got.path).code).toBe(2); // nobody to trust: cannot tell
  const ledger = await world.ledger();
  for (const kind of ["otp_sent", "sad_issued", "signed"]) expect(ledger.filter((e) => e.kind === kind)).toHaveLength(1);
  await ada.goto(`${world.portal}/documents`);
  await expect(ada.getByRole("row").filter({ hasText: "Supply agreement" })).toContainText("Signed");
  await picture(ada, "documents");

  // Nobody does anything: the proof for later years comes by itself, and the open page is told.
  await ada.getByRole("row").filter({ hasText: "Supply agreement" }).getByRole("link").first().click();
  await expect(ada.getByRole("heading", { level: 2, name: "Level now: B-LT" })).toBeVisible({ timeout: 60_000 });
  await picture(ada, "document-proof");
  const later = await download(ada, world);
  expect(later.bytes.subarray(0, got.bytes.length).equals(got.bytes) || later.bytes.equals(got.bytes)).toBe(true);
  const proved = run("../bin/portal", "verify", "-roots", `${world.data}/roots.pem`, later.path);
  expect(proved.out).toContain("PAdES B-LT");
  expect(proved.code).toBe(0);
});

for (const [profile, factors] of [
  ["Advanced natural person, P-256", "entered"],
  ["Advanced natural person, authenticator", "generated"],
  ["Advanced natural person, app approval", "approved"],
] as const) {
  test(`the second factor is shaped by the credential: ${profile}`, async ({ world, person, visitor }) => {
    const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
    await cleo.goto(`${world.portal}/credentials?show=active&q=Ada`); // one at a time: the one before ends
    await cleo.getByRole("row").filter({ hasText: "Ada Example" }).getByRole("link").first().click();
    await revoke(cleo, /newer credential/);
    await cleo.goto(`${world.portal}/review?show=decided`);
    await cleo.getByRole("row").filter({ hasText: "Ada Example" }).getByRole("link").first().click();
    await issue(cleo, profile);
    await expect(cleo.getByRole("main").getByText("Active").first()).toBeVisible();
    await upload(ada, world, file(`${profile}.pdf`, pdf(profile)));
    await ada.getByRole("link", { name: "Sign 1 document" }).first().click();
    await ada.getByRole("button", { name: "Check 1 document" }).click();
    await ada.waitForURL(/\/ceremonies\//);
    const send = ada.getByRole("button", { name: /^Send the code/ });
    if (await send.isVisible()) await send.click();
    const press = ada.getByRole("button", { name: /^(Sign 1 document|Ask me on my phone)$/ });
    await expect(press).toBeVisible();
    if (factors === "generated") {
      await outside.goto(`${world.simulator}/phone?user=${email}`);
      await ada.locator("#otp").fill((await outside.locator("[data-totp]").first().getAttribute("data-totp"))!);
      if (await ada.locator("#pin").isVisible()) await ada.locator("#pin").fill(await pinOf(outside, world, email));
      await press.click();
    } else if (factors === "approved") {
      await expect(ada.locator("#otp, #pin")).toHaveCount(0);
      const pressed = press.click();
      await outside.goto(`${world.simulator}/phone?user=${email}`);
      await outside.getByRole("button", { name: "Approve" }).first().click();
      await pressed;
    } else {
      await enterFactors(ada, outside, world, email);
    }
    await expect(heading(ada, "Signed, and checked.")).toBeVisible({ timeout: 30_000 });
    const got = await download(ada, world);
    expect(run("pdfsig", got.path).out).toContain("Signature is Valid");
    expect(run("../bin/portal", "verify", "-roots", `${world.data}/roots.pem`, got.path).code).toBe(0);
  });
}

test("a document is dropped on the page", async ({ world, person }) => {
  const ada = await person("Ada");
  await ada.goto(`${world.portal}/documents`);
  const data = await ada.evaluateHandle((b) => {
    const t = new DataTransfer();
    t.items.add(new File([new Uint8Array(b)], "Dropped.pdf", { type: "application/pdf" }));
    return t;
  }, [...pdf("Dropped")]);
  for (const type of ["dragenter", "dragover", "drop"]) await ada.dispatchEvent("form[data-upload]", type, { dataTransfer: data });
  await ada.waitForURL(/\/documents\/[0-9a-f]+$/);
  await expect(heading(ada, "Dropped.pdf")).toBeVisible();
});

test("a second signer signs the file that the first one signed, and both signatures are valid", async ({ world, person, visitor }) => {
  const [ben, cleo, outside, anyone] = [await person("Ben"), await person("Cleo"), await visitor(), await visitor()];
  const ada = await person("Ada");
  await credential(world, ben, cleo, outside, "Ben", "Advanced natural person, P-256");
  await ada.goto(`${world.portal}/documents?show=signed&q=Supply`);
  await ada.getByRole("row").filter({ hasText: "Supply" }).getByRole("link").first().click();
  const [got] = await Promise.all([ada.waitForEvent("download"), ada.getByRole("link", { name: /Download/ }).first().click()]);
  await got.saveAs(`${world.data}/first.pdf`);
  const first = readFileSync(`${world.data}/first.pdf`);
  await upload(ben, world, file("Supply agreement 2026-signed.pdf", first));
  await expect(ben.getByRole("main")).toContainText("Ada Example");
  const both = await sign(ben, outside, world, "ben@example.test");
  expect(both.bytes.subarray(0, first.length).equals(first)).toBe(true);
  expect(run("pdfsig", both.path).out.match(/Signature is Valid/g)).toHaveLength(2);
  const judged = run("../bin/portal", "verify", "-json", "-roots", `${world.data}/roots.pem`, both.path);
  expect(judged.code).toBe(0);
  expect(judged.out.match(/TOTAL-PASSED/g)!.length).toBeGreaterThanOrEqual(3); // the file and each of the two
  await anyone.goto(`${world.portal}/verify`);
  await anyone.locator("input[type=file]").setInputFiles(file("Supply agreement 2026-signed-signed.pdf", both.bytes));
  await anyone.getByRole("button", { name: /^Verify/ }).click();
  await expect(heading(anyone, /valid/)).toBeVisible();
  for (const name of ["Ada Example", "Ben Example"]) await expect(anyone.getByRole("main")).toContainText(name);
  await picture(anyone, "verify-two");
});
