import { heading, startCheck } from "./steps.js";
import { expect, test } from "./test.js";

test.use({ room: "open-page" });

test("when the session ends, an open page says so in its place, and signing in leads back to it", async ({ world, person }) => {
  const ada = await person("Ada");
  const address = await startCheck(ada, world, "Basic");
  const elsewhere = await ada.context().newPage();
  await elsewhere.goto(`${world.portal}/account`);
  await elsewhere.getByText("Ada Example").first().click();
  await elsewhere.getByRole("button", { name: "Sign out" }).click();
  await elsewhere.waitForURL(/signed-out/);

  await expect(heading(ada, "Your session has ended.")).toBeVisible();
  await expect(heading(ada, "Your session has ended.")).toBeFocused();
  expect(ada.url()).toBe(address); // nothing led away, and nothing signed in by itself
  await expect(ada.locator("#live")).toHaveCount(0);
  await ada.getByRole("link", { name: "Sign in", exact: true }).last().click();
  await ada.getByRole("button", { name: "Sign in as Ada" }).click();
  await expect(ada).toHaveURL(address);
  await expect(heading(ada, "Confirm your e-mail")).toBeVisible();
});

test("where no stream comes through, a page asks by itself, says that nobody did anything, and is told the end too", async ({ world, visitor }) => {
  const ben = await visitor();
  await ben.clock.install();
  await ben.route("**/live", (route) => route.fulfill({ status: 502, body: "a proxy that lets no stream through" }));
  const asked: (string | undefined)[] = [];
  await ben.goto(`${world.portal}/login`);
  await ben.getByRole("button", { name: "Sign in as Ben" }).click();
  await ben.waitForURL(`${world.portal}/`);
  const address = await startCheck(ben, world, "Basic");
  ben.on("request", (r) => {
    if (r.url() === address) asked.push(r.headers()["countersign-passive"]);
  });
  const ask = () => Promise.all([ben.waitForResponse(address), ben.clock.runFor(10_000)]);
  const [first] = await ask();
  expect(first.status()).toBe(200);

  const cancel = await ben.request.post(`${address}/cancel`, { headers: { origin: world.portal } }); // as in another tab
  expect(cancel.ok()).toBe(true);
  await ask();
  await expect(heading(ben, /cancelled/i)).toBeVisible();

  await ben.context().clearCookies();
  await ask();
  await expect(heading(ben, "Your session has ended.")).toBeVisible();
  expect(asked.length).toBeGreaterThanOrEqual(3);
  expect(new Set(asked)).toEqual(new Set(["1"]));
});
