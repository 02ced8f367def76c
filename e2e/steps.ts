import { type Locator, type Page, expect } from "@playwright/test";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { World } from "./world.js";

export type File = { name: string; mimeType: string; buffer: Buffer };
export const file = (name: string, buffer: Buffer): File => ({ name, mimeType: "application/pdf", buffer });
export const sha256 = (b: Buffer): string => createHash("sha256").update(b).digest("hex");
export const heading = (page: Page, name: string | RegExp) => page.getByRole("heading", { level: 1, name });

/** The signer's part of an identity check, up to the moment that somebody else has to act. */
export async function startCheck(page: Page, world: World, standard: "Advanced+" | "Basic" = "Advanced+"): Promise<string> {
  await page.goto(`${world.portal}/identity-checks/new`);
  await page.getByRole("radio", { name: standard }).check();
  await page.getByRole("checkbox").check();
  await page.getByRole("button", { name: "Start identity check" }).click();
  await expect(heading(page, "Confirm your e-mail")).toBeVisible();
  return page.url();
}

export async function confirmMail(outside: Page, world: World, email: string): Promise<void> {
  await outside.goto(`${world.simulator}/mailbox?to=${email}`);
  await outside.getByRole("link", { name: "Confirm your e-mail" }).first().click();
}

/** What DigiCert's people do at the proofing desk. */
export async function atTheDesk(outside: Page, world: World, name: string, ...buttons: string[]): Promise<void> {
  await outside.goto(`${world.simulator}/desk`);
  await outside.getByRole("link", { name }).first().click();
  for (const button of buttons) await outside.getByRole("button", { name: button }).click();
}

/** From nothing to a usable credential of the profile, over the pages. */
export async function credential(world: World, signer: Page, admin: Page, outside: Page, name: string, profile: string): Promise<void> {
  const standard = profile.startsWith("Advanced") ? "Advanced+" : "Basic";
  const check = await startCheck(signer, world, standard);
  await confirmMail(outside, world, `${name.toLowerCase()}@example.test`);
  if (standard === "Advanced+") await atTheDesk(outside, world, `${name} Example`, "Submit papers", "Start review", "Verified");
  await expect(heading(signer, "An admin decides")).toBeVisible();
  await admin.goto(`${world.portal}/review/${check.split("/").pop()}`);
  await admin.getByRole("button", { name: /^Approve/ }).click();
  await issue(admin, profile);
  await expect(heading(signer, "Your credential is ready")).toBeVisible();
}

/** Has a credential made on an approved case that is open in front of the admin. */
export async function issue(admin: Page, profile: string): Promise<void> {
  const choice = admin.getByLabel("Certificate profile");
  await expect(choice).toBeVisible({ timeout: 20_000 });
  await choice.selectOption({ label: profile });
  await admin.getByRole("button", { name: "Have 1 credential made" }).click();
}

export async function upload(page: Page, world: World, f: File): Promise<string> {
  await page.goto(`${world.portal}/documents`);
  await page.locator("input[type=file]").setInputFiles(f);
  await page.waitForURL(/\/documents\/[0-9a-f]+$/);
  return page.url();
}

/** From the preview to the page that asks for the second factor. */
export async function toTheCode(page: Page): Promise<void> {
  await page.getByRole("link", { name: "Sign 1 document" }).first().click();
  await page.getByRole("button", { name: "Check 1 document" }).click();
  await page.waitForURL(/\/ceremonies\//);
  const send = page.getByRole("button", { name: /^Send the code/ });
  if (await send.isVisible()) await send.click();
  await expect(page.getByRole("button", { name: "Sign 1 document" })).toBeVisible();
}

export async function codeOf(outside: Page, world: World, email: string): Promise<string> {
  await outside.goto(`${world.simulator}/phone?user=${email}`);
  return (await outside.locator("[data-code]").first().getAttribute("data-code"))!;
}

export async function pinOf(outside: Page, world: World, email: string): Promise<string> {
  await outside.goto(`${world.simulator}/mailbox?to=${email}`);
  return (await outside.locator("[data-pin]").first().getAttribute("data-pin"))!;
}

/** The button that signs. */
export const press = (page: Page): Locator => page.getByRole("button", { name: "Sign 1 document" });

/** Presses the button of a form without the browser's own check of its fields: the server's is meant. */
export async function pressUnchecked(button: Locator): Promise<void> {
  await button.evaluate((b: HTMLButtonElement) => {
    b.form!.noValidate = true;
    b.click();
  });
}

/** A code that is not the given one. */
export const wrong = (code: string): string => code.slice(0, -1) + ((Number(code.at(-1)) + 1) % 10);

/** Enters whatever the form asks for, and signs. */
export async function enterFactors(page: Page, outside: Page, world: World, email: string): Promise<void> {
  const code = page.locator("#otp");
  if (await code.isVisible()) await code.fill(await codeOf(outside, world, email));
  const pin = page.locator("#pin");
  if (await pin.isVisible()) await pin.fill(await pinOf(outside, world, email));
  await page.getByRole("button", { name: "Sign 1 document" }).click();
}

/** Signs the document that is open, and answers the finished file. */
export async function sign(page: Page, outside: Page, world: World, email: string): Promise<Got> {
  await toTheCode(page);
  await enterFactors(page, outside, world, email);
  await expect(heading(page, "Signed, and checked.")).toBeVisible({ timeout: 30_000 });
  return download(page, world);
}

export type Got = { bytes: Buffer; path: string; name: string };

export async function download(page: Page, world: World): Promise<Got> {
  const [got] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download the signed PDF" }).click()]);
  const path = join(world.data, `got-${Date.now()}.pdf`);
  await got.saveAs(path);
  return { bytes: readFileSync(path), path, name: got.suggestedFilename() };
}

/** Revokes the credential that is open, after reading what it ends. */
export async function revoke(page: Page, reason: RegExp): Promise<void> {
  await page.getByRole("link", { name: "Revoke…" }).click();
  await expect(page.getByRole("main")).toContainText("Stays provable");
  const reasons = page.getByLabel("Reason");
  const label = (await reasons.locator("option").allTextContents()).find((text) => reason.test(text))!;
  await reasons.selectOption({ label });
  const field = page.getByLabel(/Type the name/);
  await field.fill("something else");
  await page.getByRole("button", { name: "Revoke 1 credential" }).click();
  await expect(page.getByText("This is not the name of the credential.")).toBeVisible();
  await field.fill((await page.locator(".hex").first().innerText()).trim());
  await page.getByRole("button", { name: "Revoke 1 credential" }).click();
  await expect(page.getByRole("main").getByText("Revoked").first()).toBeVisible();
}

/** Pictures of the page that is open, wide and narrow, light and dark; only when asked for. */
export async function picture(page: Page, name: string): Promise<void> {
  if (!process.env.SCREENS) return;
  mkdirSync("../docs/screens", { recursive: true });
  const before = page.viewportSize()!;
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `../docs/screens/${name}-${width}-${colorScheme}.png`, animations: "disabled" });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(before);
}
