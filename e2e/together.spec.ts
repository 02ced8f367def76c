import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { pdf } from "./papers.js";
import { credential, file, heading, picture, pinOf } from "./steps.js";
import { expect, test } from "./test.js";
import type { World } from "./world.js";

// One document to a part, so that one of them can fail.
test.use({ room: "together", settings: { env: { SIGN_TOGETHER: "1" } } });
test.describe.configure({ mode: "serial" });

const email = "ada@example.test";
const refusal = { status: 400, n: 1, body: JSON.stringify({ error: "invalid_request", error_description: "Invalid digest value length" }) };

/** The names that the directory at the end of an archive lists. */
function names(path: string): string[] {
  const all = readFileSync(path);
  const found: string[] = [];
  for (let at = all.readUInt32LE(all.length - 6); all.readUInt32LE(at) === 0x02014b50; at += 46 + all.readUInt16LE(at + 28) + all.readUInt16LE(at + 30) + all.readUInt16LE(at + 32)) {
    found.push(all.toString("utf8", at + 46, at + 46 + all.readUInt16LE(at + 28)));
  }
  return found;
}

async function approve(page: Page, outside: Page, world: World, button: string): Promise<void> {
  await expect(page.getByText(/byte for byte/)).toBeVisible();
  await page.locator("#pin").fill(await pinOf(outside, world, email));
  await page.getByRole("button", { name: button, exact: true }).click();
}

test("several files are uploaded, signed with one approval, and the one that failed is signed again by itself", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person, P-256");
  await ada.goto(`${world.portal}/documents`);
  await ada.locator("input[type=file]").setInputFiles(["One", "Two", "Three"].map((name) => file(`${name}.pdf`, pdf(name))));
  await ada.getByRole("button", { name: "Sign these 3 together" }).click();
  await expect(heading(ada, "3 documents to sign together")).toBeVisible();
  await picture(ada, "together-choose");
  await ada.getByRole("radio", { name: "Go on with the others" }).check();
  await ada.getByRole("button", { name: "Check 3 documents" }).click();
  await ada.waitForURL(/\/ceremonies\//);
  await expect(ada.getByText("The stored files are byte for byte those you uploaded: 3 of 3.")).toBeVisible();
  await picture(ada, "together-code");

  await world.trouble("signatures/signHash", refusal);
  const before = (await world.ledger()).length;
  await approve(ada, outside, world, "Sign 3 documents");
  await expect(heading(ada, "2 of 3 documents are signed.")).toBeVisible({ timeout: 30_000 });
  expect(await world.since(before)).toMatchObject({ sad_issued: 1, sad_extended: 2, signed: 2 });
  await expect(ada.getByRole("listitem").filter({ hasText: "One.pdf" })).toContainText("DigiCert accepted the approval and then refused to sign.");
  await picture(ada, "together-some");
  const [got] = await Promise.all([ada.waitForEvent("download"), ada.getByRole("link", { name: "Download all 2 signed files" }).click()]);
  expect(got.suggestedFilename()).toBe("signed-documents.zip");
  const path = join(world.data, "together.zip");
  await got.saveAs(path);
  expect(names(path)).toEqual(["Two-signed.pdf", "Three-signed.pdf"]);

  await ada.getByRole("button", { name: "Sign the one that was not signed" }).click();
  await ada.getByRole("button", { name: "Check 1 document" }).click();
  await approve(ada, outside, world, "Sign 1 document");
  await expect(heading(ada, "Signed, and checked.")).toBeVisible({ timeout: 30_000 });
  expect(await world.since(before)).toMatchObject({ sad_issued: 2, signed: 3 });
});

test("without a script documents are ticked in the list, one is left out, and the rest is signed", async ({ world, person, visitor }) => {
  const [ada, outside] = [await person("Ada", { javaScriptEnabled: false }), await visitor()];
  for (const name of ["Four", "Five", "Six"]) {
    await ada.goto(`${world.portal}/documents`);
    await ada.locator("#file").setInputFiles(file(`${name}.pdf`, pdf(name)));
    await ada.getByRole("button", { name: "Upload" }).click();
    await expect(heading(ada, `${name}.pdf`)).toBeVisible();
  }
  await ada.goto(`${world.portal}/documents?show=ready`);
  for (const name of ["Four", "Five", "Six"]) await ada.getByRole("checkbox", { name: `Choose ${name}.pdf` }).check();
  await ada.getByRole("button", { name: "Sign together" }).click();
  await expect(heading(ada, "3 documents to sign together")).toBeVisible();
  await ada.getByRole("button", { name: "Leave out Five.pdf" }).click();
  await ada.getByRole("button", { name: "Check 2 documents" }).click();
  await approve(ada, outside, world, "Sign 2 documents");
  await expect(heading(ada, "All 2 documents are signed, and checked.")).toBeVisible({ timeout: 30_000 });
  const [got] = await Promise.all([ada.waitForEvent("download"), ada.getByRole("link", { name: "Download all 2 signed files" }).click()]);
  const path = join(world.data, "plain.zip");
  await got.saveAs(path);
  expect(names(path)).toHaveLength(2);
});
