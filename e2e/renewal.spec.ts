import { credential, file, picture, sign, upload } from "./steps.js";
import { pdf } from "./papers.js";
import { expect, test } from "./test.js";

test.use({ room: "renewal" });

test("a credential is renewed: asked for, made, the default, and the old one retired", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person, P-256");
  await ada.goto(`${world.portal}/credentials`);
  await ada.getByRole("row").filter({ hasText: "Ada Example" }).getByRole("link").first().click();
  const old = ada.url();
  await ada.getByRole("button", { name: "Make it the default" }).click();
  await expect(ada.getByRole("main")).toContainText("unless they choose another");
  await ada.getByRole("button", { name: "Ask for a new credential" }).click();
  await expect(ada.getByRole("button", { name: "Withdraw the request" })).toBeVisible();
  await picture(ada, "renewal-asked");

  await outside.goto(`${world.simulator}/mailbox?to=cleo@example.test`);
  await expect(outside.getByText("A new signing credential is asked for").first()).toBeVisible({ timeout: 15_000 });
  await cleo.goto(`${world.portal}/credentials?show=asked`);
  await cleo.getByRole("row").filter({ hasText: "Ada Example" }).getByRole("link").first().click();
  await expect(cleo).toHaveURL(old);
  await picture(cleo, "renewal-decide");
  await cleo.getByRole("button", { name: "Have 1 new credential made" }).click();
  await expect(ada.getByRole("main")).toContainText("A newer credential has taken its place.", { timeout: 30_000 }); // by itself
  await picture(ada, "renewal-done");
  await ada.getByRole("link", { name: "See the new credential" }).click();
  expect(ada.url()).not.toBe(old);
  await expect(ada.getByRole("main")).toContainText("unless they choose another");
  expect((await world.ledger()).filter((e) => e.kind === "revoked")).toHaveLength(0);

  const document = await upload(ada, world, file("Renewed.pdf", pdf("Renewed")));
  await ada.goto(`${document}/sign`);
  await expect(ada.getByRole("radio", { checked: true })).toHaveCount(1);
  await expect(ada.locator("label.choice").filter({ hasText: "A newer credential has taken its place." }).getByRole("radio")).toBeDisabled();
  await ada.goto(document);
  await sign(ada, outside, world, "ada@example.test");
});
