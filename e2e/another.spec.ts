import { pdf } from "./papers.js";
import { credential, file, heading, sign, upload } from "./steps.js";
import { expect, test } from "./test.js";
import { run } from "./world.js";

// With a login provider of another make; see provider.ts.
test.use({ room: "another" });

test("whoever goes back at the provider is told that nothing happened, and can try again", async ({ world, visitor }) => {
  const page = await visitor();
  await page.goto(`${world.portal}/documents`);
  await page.getByRole("button", { name: "Go back" }).click();
  await expect(page.getByRole("main")).toContainText("You left the sign-in page before it was done. Nothing was changed.");
  await page.getByRole("link", { name: "Sign in again" }).click();
  await page.getByRole("button", { name: "Sign in as Ada" }).click();
  await expect(page).toHaveURL(`${world.portal}/`);
  await expect(page.getByText("Ada Example").first()).toBeVisible();
});

test("a key that came after the portal had read the others signs people in too", async ({ world, person }) => {
  await person("Dora");
  world.another!.rotate();
  const ada = await person("Ada");
  await expect(ada.getByText("Ada Example").first()).toBeVisible();
});

test("names, address and roles that only the userinfo endpoint tells are enough for the whole way to a signed file", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person");
  await upload(ada, world, file("Elsewhere.pdf", pdf("Elsewhere")));
  const signed = await sign(ada, outside, world, "ada@example.test");
  expect(run("../bin/portal", "verify", "-roots", world.roots, signed.path).code).toBe(0);
  await ada.goto(`${world.portal}/account`);
  await expect(heading(ada, "Account")).toBeVisible();
});
