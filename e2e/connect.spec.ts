import type { Page } from "@playwright/test";
import { pdf } from "./papers.js";
import { credential, file, heading, picture, sign, upload } from "./steps.js";
import { expect, test } from "./test.js";

// Every signer lets the portal in at DigiCert once, and is spoken for with their own access.
test.use({ room: "connect", settings: { env: { DTM_CSC_AUTH: "person" } } });

const email = "ada@example.test";

/** On DigiCert's page. */
const answer = async (page: Page, name: "Allow" | "Deny") => {
  await expect(page.getByText("asks to use the signing service")).toBeVisible();
  await page.getByRole("radio", { name: /Ada Example/ }).check();
  await page.getByRole("button", { name }).click();
};

test("a signer connects their DigiCert account, signs, and disconnects it", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person");
  const document = await upload(ada, world, file("Mine.pdf", pdf("Mine", 1)));

  await ada.getByRole("link", { name: "Sign 1 document" }).first().click();
  await expect(ada.getByText("Connect your DigiCert account first.")).toBeVisible();
  await picture(ada, "connect-first");
  await ada.getByRole("button", { name: "Check 1 document" }).click();
  await expect(ada.getByRole("main")).toContainText("DigiCert wants to hear from you yourself");
  await ada.getByRole("link", { name: "Go to DigiCert and connect" }).click();
  await answer(ada, "Deny");
  await expect(heading(ada, "Your DigiCert account was not connected.")).toBeVisible();
  await ada.getByRole("link", { name: "To your account" }).click();
  await picture(ada, "account-to-connect");
  await ada.getByRole("link", { name: "Connect", exact: true }).click();
  await answer(ada, "Allow");
  await expect(ada).toHaveURL(`${world.portal}/account`); // no code stays in the address
  await expect(ada.getByText("Your DigiCert account is connected.")).toBeVisible();
  await picture(ada, "account-connected");

  await ada.goto(document);
  await sign(ada, outside, world, email);

  await upload(ada, world, file("Too late.pdf", pdf("Too late", 1)));
  const second = ada.url();
  await ada.goto(`${world.portal}/account`);
  await ada.getByRole("link", { name: "Disconnect…" }).click();
  await picture(ada, "disconnect");
  await ada.getByRole("button", { name: "Disconnect 1 account" }).click();
  await expect(ada.getByText("Disconnected. DigiCert has revoked the permission.")).toBeVisible();
  expect(await world.calls("oauth2/revoke")).toBe(1);

  await ada.goto(second);
  await ada.getByRole("link", { name: "Sign 1 document" }).first().click();
  await expect(ada.getByText("Connect your DigiCert account first.")).toBeVisible();
  await ada.getByRole("button", { name: "Check 1 document" }).click();
  await expect(ada.getByRole("alert")).toContainText("DigiCert wants to hear from you yourself");
  expect(await world.calls("signatures/signHash")).toBe(1);
});
