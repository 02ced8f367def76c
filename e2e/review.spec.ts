import { atTheDesk, confirmMail, heading, issue, picture, startCheck } from "./steps.js";
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
  await form.locator("select").selectOption({ index: 1 });
  const reason = await form.locator("select option:checked").textContent();
  await form.getByRole("button", { name: /Refuse/ }).click();
  await expect(heading(ben, "Your identity check was refused")).toBeVisible();
  await expect(ben.getByRole("main")).toContainText(reason!.trim());
  await cleo.goto(`${world.portal}/review?show=decided`);
  await expect(cleo.getByRole("row").filter({ hasText: "Ben Example" })).toBeVisible();
});
