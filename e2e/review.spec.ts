import { atTheDesk, confirmMail, heading, issue, picture, pressUnchecked, startCheck } from "./steps.js";
import { expect, test } from "./test.js";

test.use({ room: "review" });

test("the desk: differences marked, correction, undo, approval, and a credential in front of both", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  const id = (await startCheck(ada, world)).split("/").pop()!;
  await confirmMail(outside, world, "ada@example.test");
  await outside.goto(`${world.simulator}/desk`);
  await outside.getByRole("link", { name: "Ada Example" }).first().click();
  await outside.getByLabel("Given name").fill("Adá Maria");
  for (const b of ["Submit papers", "Start review", "Verified"]) await outside.getByRole("button", { name: b }).click();
  await expect(heading(ada, "An admin decides")).toBeVisible();

  await cleo.goto(`${world.portal}/review`);
  const row = cleo.getByRole("row").filter({ hasText: "Ada Example" });
  await expect(row).toContainText("1 difference");
  await picture(cleo, "review-queue");
  await row.getByRole("link").first().click();
  await expect(cleo.getByRole("row").filter({ hasText: "Adá Maria" })).toContainText("Differs");
  await expect(cleo.locator("mark").first()).toBeVisible();
  await picture(cleo, "review-case");

  await cleo.getByText("Ask for a correction…").click();
  const correction = cleo.locator(`form[action$="/correct"]`);
  await correction.getByLabel("Reason").selectOption({ index: 1 });
  await correction.getByLabel(/^Note for/).fill("The second page is blurred.");
  await correction.getByRole("button").click();
  await expect(heading(ada, "Send your papers again")).toBeVisible();
  await expect(ada.getByRole("main")).toContainText("The second page is blurred.");

  await atTheDesk(outside, world, "Ada Example", "Submit papers", "Start review", "Verified");
  await expect(heading(ada, "An admin decides")).toBeVisible();
  await cleo.goto(`${world.portal}/review/${id}`);
  await cleo.getByRole("button", { name: /^Approve/ }).click();
  await expect(heading(ada, /can still be undone/)).toBeVisible();
  await cleo.getByRole("button", { name: "Undo" }).first().click();
  await expect(heading(ada, "An admin decides")).toBeVisible();
  await cleo.getByRole("button", { name: /^Approve/ }).click();
  await expect(cleo.getByLabel("Certificate profile")).toBeVisible({ timeout: 20_000 });
  await expect(heading(ada, "Your identity is proved")).toBeVisible();
  await picture(cleo, "review-issue");
  await issue(cleo, "Advanced natural person");
  await expect(heading(ada, "Your credential is being made")).toBeVisible();
  await expect(heading(ada, "Your credential is ready")).toBeVisible();
  await expect(cleo.getByRole("main")).toContainText("Active");
  await picture(ada, "identity-check-done");
});

test("a refusal needs a reason, and the person reads it", async ({ world, person, visitor }) => {
  const [ben, cleo, outside] = [await person("Ben"), await person("Cleo"), await visitor()];
  const id = (await startCheck(ben, world)).split("/").pop()!;
  await confirmMail(outside, world, "ben@example.test");
  await atTheDesk(outside, world, "Ben Example", "Submit papers", "Start review", "Verified");
  await expect(heading(ben, "An admin decides")).toBeVisible();
  await cleo.goto(`${world.portal}/review/${id}`);
  await cleo.getByText("Refuse…").click();
  const form = cleo.locator(`form[action$="/refuse"]`);
  await form.locator("textarea").fill("Ask at the desk.");
  await pressUnchecked(form.getByRole("button", { name: /Refuse/ }));
  await expect(cleo.getByText("Choose a reason from the list.")).toBeVisible(); // in place, and what was written is kept
  await expect(form.locator("textarea")).toHaveValue("Ask at the desk.");
  await form.locator("select").selectOption({ index: 1 });
  const reason = await form.locator("select option:checked").textContent();
  await form.getByRole("button", { name: /Refuse/ }).click();
  await expect(heading(ben, "Your identity check was refused")).toBeVisible();
  await expect(ben.getByRole("main")).toContainText(reason!.trim());
  await expect(ben.getByRole("main")).toContainText("Ask at the desk.");
  await cleo.goto(`${world.portal}/review?show=decided`);
  await expect(cleo.getByRole("row").filter({ hasText: "Ben Example" })).toBeVisible();
});

test("the queue is oldest first, counts what waits, and its filters stand in the address", async ({ world, person, visitor }) => {
  const [ada, ben, cleo, outside] = [await person("Ada"), await person("Ben"), await person("Cleo"), await visitor()];
  const rows = cleo.getByRole("row").filter({ has: cleo.getByRole("cell") });
  const pill = (name: string) => cleo.getByRole("navigation", { name: "Filter" }).getByRole("link", { name: new RegExp(`^${name}`) });
  await cleo.goto(`${world.portal}/review`);
  await expect(rows).toHaveCount(0);
  for (const [page, email] of [
    [ben, "ben@example.test"],
    [ada, "ada@example.test"],
  ] as const) {
    await startCheck(page, world, "Basic");
    await confirmMail(outside, world, email);
    await expect(heading(page, "An admin decides")).toBeVisible();
  }
  await expect(rows).toHaveCount(2); // both came by themselves
  await expect(rows.nth(0)).toContainText("Ben Example");
  await expect(rows.nth(1)).toContainText("Ada Example");
  await expect(pill("To decide")).toHaveText(/2$/);
  await cleo.getByRole("navigation", { name: "Level" }).getByRole("link", { name: "Advanced+" }).click();
  await expect(cleo).toHaveURL(/standard=ADVANCED_PLUS/i);
  await expect(rows).toHaveCount(0);
  await pill("Over").click();
  await expect(cleo).toHaveURL(/show=decided/);
  await expect(rows).toHaveCount(2); // of the tests before: one approved, one refused
  await cleo.reload();
  await expect(pill("Over")).toHaveAttribute("aria-current", "true");
  await expect(rows).toHaveCount(2);
});
