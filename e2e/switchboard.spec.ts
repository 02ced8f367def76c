import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { pdf } from "./papers.js";
import { credential, enterFactors, file, heading, picture, toTheCode, upload } from "./steps.js";
import { expect, test } from "./test.js";
import type { World } from "./world.js";

// Trouble is clicked at the simulator's switchboard, as somebody does who wants to see what
// comes of it. The database plays no part in it.
test.use({ room: "switchboard" });
test.describe.configure({ mode: "serial" });

const email = "ada@example.test";

async function switchOn(board: Page, world: World, group: string, title: string): Promise<void> {
  await board.goto(`${world.simulator}/switchboard`);
  const button = board.getByRole("button", { name: `Switch on: ${title}`, exact: true });
  if (!(await button.isVisible())) await board.getByRole("heading", { level: 2, name: group }).click();
  await button.click();
  await expect(board.getByRole("button", { name: `Switch off: ${title}` })).toBeVisible();
}

const asked = (world: World) => world.calls("signatures/signHash");

test("the clock service goes down: signing waits and says so, and is finished by itself when it is back", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person, P-256");
  await upload(ada, world, file("Waits.pdf", pdf("Waits")));
  await toTheCode(ada);
  const before = await asked(world);
  await switchOn(outside, world, "The clock service", "The clock service is down");
  await expect(outside.locator("#now")).toContainText("The clock service is down");

  await enterFactors(ada, await visitor(), world, email);
  // The key has signed, and the time is what is waited for.
  await expect(heading(ada, "Signing your document")).toBeVisible();
  await expect(ada.getByRole("listitem").filter({ hasText: "Signed with your key" })).toContainText("completed");
  await expect(ada.getByRole("listitem").filter({ hasText: "Stamped with the time" })).toContainText("now");
  expect(await asked(world)).toBe(before + 1);
  // The open switchboard is told of it.
  await expect(outside.locator("#clock-down")).toContainText(/met (once|\d+ times)/);
  await expect(outside.locator("#ledger-rows")).toContainText("Signed");
  await expect(outside.locator("#call-rows li").filter({ hasText: "signatures/timestamp" }).first()).toContainText("The clock service is down");
  await picture(outside, "switchboard");

  await outside.getByRole("button", { name: "Switch off: The clock service is down" }).click();
  await expect(outside.locator("#now")).toContainText("Nothing is switched on");
  await expect(heading(ada, "Signing your document")).toBeVisible();
  await expect(heading(ada, "Signed, and checked.")).toBeVisible({ timeout: 60_000 }); // nobody touches it
  expect(await asked(world)).toBe(before + 1);
});

test("a signature is lost on its way: its outcome is not known, and the ledger knows", async ({ world, person, visitor }) => {
  const [ada, outside] = [await person("Ada"), await visitor()];
  await upload(ada, world, file("Lost.pdf", pdf("Lost")));
  await toTheCode(ada);
  const before = await asked(world);
  await switchOn(outside, world, "The signature", "A signature is lost on its way");
  const signed = await outside.locator("#ledger-rows li.serious").count();

  await enterFactors(ada, await visitor(), world, email);
  await expect(ada.getByRole("main")).toContainText("We do not know whether DigiCert signed");
  await expect(ada.getByRole("main")).not.toContainText("Nothing was signed");
  await expect(outside.locator("#ledger-rows li.serious")).toHaveCount(signed + 1);
  await expect(outside.locator("#now")).toContainText("Nothing is switched on"); // it was for once
  expect(await asked(world)).toBe(before + 1);
});

test("the switchboard is worked without script and by keyboard, wide and narrow, light and dark", async ({ world, visitor }) => {
  const plain = await visitor({ javaScriptEnabled: false });
  await switchOn(plain, world, "The whole service", "Everything is slow");
  await plain.getByRole("button", { name: "Switch everything off" }).click();
  await expect(plain.locator("#now")).toContainText("Nothing is switched on");
  await plain.getByRole("heading", { name: "What to watch" }).click();
  await plain.getByLabel("In the ledger").selectOption({ label: "Signed" });
  await plain.getByRole("button", { name: "Show", exact: true }).click();
  await expect(plain.locator("#ledger-rows li:not(.serious)")).toHaveCount(0);
  await expect(plain.locator("#ledger-rows li.serious")).not.toHaveCount(0);

  const board = await visitor();
  await board.goto(`${world.simulator}/switchboard`);
  for (let i = 0; i < 40 && !(await board.evaluate(() => document.activeElement?.matches("summary") && document.activeElement.textContent?.includes("The signature"))); i++) await board.keyboard.press("Tab");
  await board.keyboard.press("Enter");
  await expect(board.getByRole("button", { name: "Switch on: Another key has signed" })).toBeVisible();
  await board.getByRole("button", { name: "Switch on: Another key has signed" }).focus();
  await board.keyboard.press("Enter");
  await expect(board.locator("#signature-key")).toContainText("once more · not met yet");

  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 390, 320]) {
      await board.emulateMedia({ colorScheme });
      await board.setViewportSize({ width, height: 900 });
      expect(await board.evaluate(() => document.scrollingElement!.scrollWidth)).toBe(width);
      if (width === 320) continue;
      const { violations } = await new AxeBuilder({ page: board }).setLegacyMode(true).analyze();
      expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join("; ")}`)).toEqual([]);
    }
  }
  await board.getByRole("button", { name: "Switch everything off" }).click();
});
