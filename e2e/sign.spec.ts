import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { equip, pdfFile, profiles, say, sha256, title, type File, type Person } from "./actions.js";
import { expect, test } from "./fixtures.js";
import { makePDF } from "./pdf.js";
import { run, type World } from "./world.js";

test.describe.configure({ mode: "serial" });

/** What anybody can find out about a signed file, with tools that are not ours, and with ours. */
export function checkSigned(world: World, folder: string, original: File, signed: File, count = 1): void {
  const path = join(folder, "signed.pdf");
  writeFileSync(path, signed.bytes);
  expect(signed.bytes.subarray(0, original.bytes.length).equals(original.bytes), "the first bytes are the upload").toBe(true);
  const poppler = run("pdfsig", "-nocert", path);
  expect(poppler.out.match(/Signature is Valid/g), poppler.out).toHaveLength(count);
  expect(poppler.out).toContain("Total document signed");
  expect(run("qpdf", "--check", path).out).toContain("No syntax or stream encoding errors");
  expect(run("../bin/portal", "verify", "-roots", world.roots, path)).toMatchObject({ code: 0 });
  expect(run("../bin/portal", "verify", path)).toMatchObject({ code: 2 });
}

const contract: File = { name: "Rental agreement.pdf", bytes: makePDF("Rental agreement", "The tenant pays on the first day of the month.") };

test("a document is uploaded, read, signed with a code and downloaded", async ({ browsers, outside, folder, world }) => {
  const ada = await browsers.as("Ada");
  const cleo = await browsers.as("Cleo");
  await equip(ada, cleo, profiles.code);

  await ada.open("/documents");
  await ada.page.locator("#file").setInputFiles(pdfFile(contract));
  await ada.page.waitForURL(/\/documents\/[^/?#]+$/);
  await expect(ada.title).toHaveText(contract.name);
  const pages = ada.page.getByRole("region", { name: "Pages" });
  await expect(pages.locator("canvas").first()).toBeVisible();
  expect(await ink(ada)).toBeGreaterThan(100);
  await expect(ada.page.getByText("Page 1 of 2")).toBeVisible();
  await ada.page.getByText("Full fingerprint").click();
  const shown = await ada.page.locator("aside .hex").first().innerText();
  expect(shown.replace(/\s/g, "").toLowerCase()).toBe(sha256(contract.bytes));
  const words = await ada.page.locator("aside .words").first().innerText();

  await ada.link(say.sign).click();
  await ada.button(say.checkDocument).click();
  await expect(ada.title).toHaveText("Checked, and ready for your code");
  await expect(ada.page.getByRole("list", { name: "Steps" }).getByRole("listitem")).toHaveCount(6);
  expect(await world.ledger("otp_sent")).toHaveLength(0);
  await ada.sendCode();
  const code = await outside.readCode("Ada");
  await ada.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await ada.page.evaluate((text) => navigator.clipboard.writeText(text), `${code.slice(0, 3)} ${code.slice(3)}`);
  await ada.code.focus();
  await ada.page.keyboard.press("ControlOrMeta+V");
  await ada.page.keyboard.press("Enter");
  await expect(ada.title).toHaveText(say.signed);
  await expect(ada.page.getByRole("main")).toContainText(words.trim());
  const signed = await ada.download();
  expect(signed.name).toBe("Rental agreement-signed.pdf");
  checkSigned(world, folder, contract, signed);
});

/** How many pixels of the first page are not white. */
function ink(person: Person): Promise<number> {
  return person.page.locator("canvas").first().evaluate((canvas) => {
    const { width, height } = canvas as HTMLCanvasElement;
    const { data } = (canvas as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, width, height);
    let n = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i]! < 128 && data[i + 3]! > 0) n++;
    return n;
  });
}
