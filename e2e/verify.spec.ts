import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { credential, file, heading, picture, sign, upload } from "./steps.js";
import { pdf } from "./papers.js";
import { expect, test } from "./test.js";
import type { World } from "./world.js";

test.use({ room: "verify" });

async function verify(page: Page, world: World, name: string, bytes: Buffer): Promise<void> {
  await page.goto(`${world.portal}/verify`);
  await page.locator("input[type=file]").setInputFiles(file(name, bytes));
  await page.getByRole("button", { name: /^Verify/ }).click();
  await page.waitForLoadState();
}

test("anyone verifies: valid, changed, unsigned, unknown issuer, no PDF; never a bare yes", async ({ world, person, visitor }) => {
  const [ada, cleo, outside, anyone] = [await person("Ada"), await person("Cleo"), await visitor(), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person, P-256");
  const original = pdf("Agreement");
  await upload(ada, world, file("Agreement.pdf", original));
  const words = await ada.locator("[translate=no]").first().innerText();
  const signed = await sign(ada, outside, world, "ada@example.test");

  await anyone.goto(`${world.portal}/verify`);
  await picture(anyone, "verify");
  await verify(anyone, world, "Agreement-signed.pdf", signed.bytes);
  const main = anyone.getByRole("main");
  await expect(heading(anyone, "The signature is valid.")).toBeVisible();
  for (const said of ["Ada Example", "Simulator Issuing CA", "The signature covers the whole", "Simulator Time Stamping Authority", "not checked", words]) {
    await expect(main).toContainText(said);
  }
  await picture(anyone, "verify-valid");

  const changed = Buffer.from(signed.bytes);
  changed[changed.indexOf("page 1")] = "P".charCodeAt(0);
  await verify(anyone, world, "Agreement-changed.pdf", changed);
  await expect(heading(anyone, "The signature is not valid.")).toBeVisible();
  await expect(main).not.toContainText(words);
  await picture(anyone, "verify-changed");

  await verify(anyone, world, "Agreement.pdf", original);
  await expect(heading(anyone, /no signature/)).toBeVisible();
  await picture(anyone, "verify-unsigned");

  const stranger = (name: string) => join(world.data, name);
  writeFileSync(stranger("in.pdf"), original);
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=A Stranger", "-days", "30",
    "-addext", "keyUsage=critical,digitalSignature,nonRepudiation", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", stranger("key.pem"), "-out", stranger("cert.pem")], { stdio: "ignore" });
  execFileSync("go", ["run", "./cmd/pades", "sign", "-cert", stranger("cert.pem"), "-key", stranger("key.pem"), stranger("in.pdf"), stranger("out.pdf")], { cwd: "..", stdio: "inherit" });
  await verify(anyone, world, "Stranger.pdf", readFileSync(stranger("out.pdf")));
  await expect(heading(anyone, /cannot confirm/i)).toBeVisible();
  await expect(main).toContainText("A Stranger");
  await picture(anyone, "verify-unknown");

  await verify(anyone, world, "notes.pdf", Buffer.from("not a PDF at all"));
  await expect(main).toContainText("not a PDF");
  await verify(anyone, world, "empty.pdf", Buffer.alloc(0));
  await expect(main).toContainText("empty");
});
