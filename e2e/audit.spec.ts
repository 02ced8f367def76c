import { readFileSync } from "node:fs";
import { join } from "node:path";
import { credential, picture } from "./steps.js";
import { expect, test } from "./test.js";

test.use({ room: "audit" });

test("admin and auditor read our log and DTM's, filter both and take them away as CSV; a signer may not", async ({ world, person, visitor }) => {
  const [ada, cleo, dora, outside] = [await person("Ada"), await person("Cleo"), await person("Dora"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person, P-256");
  for (const reader of [cleo, dora]) {
    await reader.goto(`${world.portal}/audit`);
    await expect(reader.getByRole("row").filter({ hasText: "Cleo Example" }).first()).toBeVisible();
    await reader.getByRole("link", { name: "Credentials" }).last().click();
    await expect(reader).toHaveURL(/kind=credential/);
    await expect(reader.getByRole("row").filter({ hasText: "Identity check" })).toHaveCount(0);
    const [got] = await Promise.all([reader.waitForEvent("download"), reader.getByRole("link", { name: "Download as CSV" }).click()]);
    const path = join(world.data, "audit.csv");
    await got.saveAs(path);
    const csv = readFileSync(path, "utf8");
    expect(csv).toContain("credential.issue");
    expect(csv).not.toContain("validation.approve"); // the filter holds for the file too
    await reader.goto(`${world.portal}/audit/dtm`);
    await expect(reader.getByRole("row").nth(1)).toBeVisible();
    await reader.goto(`${world.portal}/roles`);
    await expect(reader.getByRole("main")).toContainText("DSM_DOCUMENT_SIGNER");
  }
  await expect(async () => {
    await dora.goto(`${world.portal}/audit`);
    await expect(dora.getByRole("main")).toContainText("in the checkpoint", { timeout: 1000 });
  }).toPass();
  await picture(dora, "audit");
  await dora.goto(`${world.portal}/audit/dtm`);
  await picture(dora, "audit-dtm");
  const remote = await dora.request.get(`${world.portal}/audit/dtm.csv`);
  expect(await remote.text()).toContain("validation");
  expect((await ada.goto(`${world.portal}/audit.csv`))?.status()).toBe(403);
});
