import { credential, file, heading, picture, revoke, upload } from "./steps.js";
import { pdf } from "./papers.js";
import { expect, test } from "./test.js";

test.use({ room: "credentials" });

test("suspend, resume and revoke: by the admin, by the owner, in front of both; a revoked one cannot sign", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person, P-256");
  const document = await upload(ada, world, file("Order.pdf", pdf("Order")));

  await cleo.goto(`${world.portal}/credentials`);
  await picture(cleo, "credentials");
  await cleo.getByRole("row").filter({ hasText: "Ada Example" }).getByRole("link").first().click();
  await picture(cleo, "credential");
  const address = cleo.url();
  await ada.goto(address);
  await cleo.getByRole("button", { name: "Suspend 1 credential" }).click();
  await expect(cleo.getByRole("main").getByText("Suspended").first()).toBeVisible();
  await expect(ada.getByRole("main").getByText("Suspended").first()).toBeVisible(); // without a reload
  const second = await person("Ada");
  await second.goto(document);
  await expect(second.getByRole("link", { name: "Sign 1 document" })).toHaveCount(0);
  await second.goto(`${document}/sign`);
  await expect(second.getByRole("main")).toContainText("suspended");

  await cleo.getByRole("button", { name: "Resume 1 credential" }).click();
  await expect(ada.getByRole("main").getByText("Active").first()).toBeVisible();
  await ada.reload();
  await ada.getByRole("button", { name: "Suspend 1 credential" }).click(); // the owner's own right
  await ada.getByRole("button", { name: "Resume 1 credential" }).click();
  await expect(ada.getByRole("main").getByText("Active").first()).toBeVisible();
  await ada.getByRole("link", { name: "Revoke…" }).click();
  await picture(ada, "credential-revoke");
  await ada.goto(address);
  await revoke(ada, /no longer needed/);
  await expect(cleo.getByRole("main").getByText("Revoked").first()).toBeVisible();
  await second.goto(`${document}/sign`);
  await expect(second.getByRole("main")).toContainText("revoked");
  await expect(second.getByRole("button", { name: "Check 1 document" })).toHaveCount(0);
  expect((await world.ledger()).filter((e) => e.kind === "signed")).toHaveLength(0);
  await second.goto(world.portal);
  await expect(heading(second, /./)).toBeVisible();
});
