import { credential, heading, picture } from "./steps.js";
import { expect, test } from "./test.js";

test.use({ room: "people" });

test("an account is switched off after reading what that ends, asked for again when it changed, and switched on", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Basic natural person");
  await cleo.goto(`${world.portal}/people`);
  await picture(cleo, "people");
  await cleo.getByRole("link", { name: "Ada Example" }).click();
  await picture(cleo, "person");
  await cleo.getByRole("link", { name: "Switch off…" }).click();
  await expect(cleo.getByRole("main")).toContainText("1 browser is signed out.");
  await expect(cleo.getByRole("main")).toContainText("Stays provable");
  await picture(cleo, "person-disable");
  const second = await person("Ada");
  await cleo.getByRole("button", { name: "Switch 1 account off" }).click();
  await expect(cleo.getByText("This has changed since you looked.")).toBeVisible();
  await expect(cleo.getByRole("main")).toContainText("2 browsers are signed out.");
  await cleo.getByRole("button", { name: "Switch 1 account off" }).click();
  await expect(cleo.getByRole("main").getByText("Switched off").first()).toBeVisible();
  await second.goto(`${world.portal}/documents`);
  await expect(second).not.toHaveURL(`${world.portal}/documents`);
  await cleo.getByRole("button", { name: "Switch 1 account on" }).click();
  await expect(cleo.getByRole("main").getByText("May sign in").first()).toBeVisible();
  const again = await person("Ada");
  await again.goto(`${world.portal}/documents`);
  await expect(heading(again, /./)).toBeVisible();
});
