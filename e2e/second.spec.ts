import { confirmMail, heading, picture, startCheck } from "./steps.js";
import { expect, test } from "./test.js";

// Dora reads the logs in the other worlds; in this one she is the second admin.
test.use({ room: "second", settings: { args: ["-hold", "4s"], env: { APPROVALS: "2", OIDC_ADMIN_ROLES: "admin,auditor", OIDC_AUDITOR_ROLES: "nobody" } } });

test("two admins approve: the first can withdraw, cannot give both, and the second sends it", async ({ world, person, visitor }) => {
  const [ada, cleo, dora, outside] = [await person("Ada"), await person("Cleo"), await person("Dora"), await visitor()];
  const id = (await startCheck(ada, world, "Basic")).split("/").pop()!;
  await confirmMail(outside, world, "ada@example.test");
  await expect(heading(ada, "An admin decides")).toBeVisible();
  const approve = (page: typeof cleo) => page.getByRole("button", { name: "Approve Ada Example" });

  await cleo.goto(`${world.portal}/review/${id}`);
  await expect(cleo.getByRole("main")).toContainText("Two admins have to approve.");
  await expect(cleo.getByRole("main")).toContainText(/\d+ of \d+ seats of this standard are free\./);
  await approve(cleo).click();
  await expect(cleo.getByRole("button", { name: "Withdraw your approval" })).toBeVisible();
  await expect(approve(cleo)).toHaveCount(0);
  await expect(heading(ada, "A second admin decides")).toBeVisible();
  await picture(cleo, "review-first-approval");
  await cleo.getByRole("button", { name: "Withdraw your approval" }).click();
  await expect(approve(cleo)).toBeVisible();
  await expect(heading(ada, "An admin decides")).toBeVisible();
  await approve(cleo).click();
  await expect(cleo.getByRole("button", { name: "Withdraw your approval" })).toBeVisible();

  await outside.goto(`${world.simulator}/mailbox?to=dora@example.test`);
  await expect(outside.getByText("A second approval is needed").first()).toBeVisible({ timeout: 15_000 });
  await dora.goto(`${world.portal}/review`);
  await dora.getByRole("row").filter({ hasText: "Ada Example" }).getByRole("link").first().click();
  await expect(dora.getByRole("main")).toContainText("Cleo Example has approved.");
  await picture(dora, "review-second-approval");
  expect(await world.calls("/approve")).toBe(0);
  await approve(dora).click();
  await expect(dora.getByRole("timer")).toContainText(/0:0\d left to undo it/);
  await dora.getByRole("button", { name: "Undo the approval" }).click(); // takes back both
  await expect(dora.getByRole("main")).toContainText("Two admins have to approve.");

  await approve(dora).click();
  await expect(dora.getByRole("button", { name: "Withdraw your approval" })).toBeVisible();
  await approve(cleo).click();
  await expect(cleo.getByRole("timer")).toBeVisible();
  await expect(heading(ada, "Your identity is proved")).toBeVisible({ timeout: 20_000 });
  expect(await world.calls("/approve")).toBe(1);
});
