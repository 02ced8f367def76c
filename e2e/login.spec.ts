import { heading } from "./steps.js";
import { expect, test } from "./test.js";

test.use({ room: "login" });

test("a person signs in by OIDC and lands on the page that was asked for", async ({ world, visitor }) => {
  const page = await visitor();
  await page.goto(`${world.portal}/documents?show=signed`);
  await page.getByRole("button", { name: "Sign in as Ada" }).click();
  await expect(page).toHaveURL(`${world.portal}/documents?show=signed`);
  await expect(page.getByText("Ada Example").first()).toBeVisible();
});

test("a role that is not held answers 403 and names the account", async ({ world, person }) => {
  const ada = await person("Ada");
  for (const path of ["/review", "/audit", "/roles"]) {
    const answer = await ada.goto(world.portal + path);
    expect(answer?.status()).toBe(403);
    await expect(heading(ada, /not for this account/)).toBeVisible();
    await expect(ada.getByRole("main")).toContainText("Ada Example");
  }
  const dora = await person("Dora");
  expect((await dora.goto(`${world.portal}/audit`))?.status()).toBe(200);
  expect((await dora.goto(`${world.portal}/review`))?.status()).toBe(403);
});

test("signing out ends the session here and at the provider", async ({ world, login, person }) => {
  const ada = await person("Ada");
  const cookies = await ada.context().cookies();
  await ada.getByText("Ada Example").first().click();
  await ada.getByRole("button", { name: "Sign out" }).click();
  if (login === "another") await ada.getByRole("button", { name: "Sign out everywhere" }).click(); // it asks first
  await ada.waitForURL(/signed-out/);
  await expect(heading(ada, /signed out/i)).toBeVisible();
  await ada.goto(`${world.portal}/documents`);
  await expect(ada.getByRole("button", { name: "Sign in as Ada" })).toBeVisible(); // the provider asks again
  await ada.context().addCookies(cookies.filter((c) => c.name.includes("session")));
  const replayed = await ada.request.get(`${world.portal}/documents`, { maxRedirects: 0 });
  expect(replayed.status()).toBe(303); // the old cookie opens nothing
});

test("signing out at the provider ends the session here, and no other", async ({ world, login, person }) => {
  const [ada, elsewhere, ben] = [await person("Ada"), await person("Ada"), await person("Ben")];
  const there = await ada.context().newPage();
  if (login === "another") {
    const { end_session_endpoint } = await (await fetch(`${world.provider}/.well-known/openid-configuration`)).json();
    await there.goto(end_session_endpoint);
    await there.getByRole("button", { name: "Sign out everywhere" }).click();
    await expect(there.getByText("You are signed out.")).toBeVisible();
  } else {
    await there.goto(`${world.provider}/`);
    await there.getByRole("button", { name: "Sign out Ada Example" }).click();
  }
  await expect(async () => {
    await ada.goto(`${world.portal}/documents`);
    await expect(ada.getByRole("button", { name: "Sign in as Ada" })).toBeVisible({ timeout: 1000 });
  }).toPass({ timeout: 20_000 });
  for (const page of [elsewhere, ben]) expect((await page.goto(`${world.portal}/documents`))?.url()).toBe(`${world.portal}/documents`); // other browsers, other sessions
});
