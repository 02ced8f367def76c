import { type Browser, type BrowserContextOptions, type Page, test as base } from "@playwright/test";
import { type Ground, type Settings, World } from "./world.js";

export { expect } from "@playwright/test";

type Worlds = Ground & { room: string; settings: Settings; world: World; person: (name: Name, options?: BrowserContextOptions) => Promise<Page>; visitor: (options?: BrowserContextOptions) => Promise<Page> };
export type Name = "Ada" | "Ben" | "Cleo" | "Dora";

/** What the browser may not say on any page of ours: the policy was broken, a script failed, an asset is missing. */
const complaints: string[] = [];

/** For the test that breaks the policy on purpose: what was said until now, forgotten by the others. */
export const forgetComplaints = (): string[] => complaints.splice(0);

function listen(page: Page): Page {
  page.on("console", (m) => {
    // What a server refused, or that it was away for a moment, is for each test to judge.
    if (m.type() === "error" && !/^(Failed to load resource: |htmx: htmx:sse:error)/.test(m.text())) complaints.push(`${page.url()}: ${m.text()}`);
  });
  page.on("pageerror", (e) => complaints.push(`${page.url()}: ${e.message}`));
  page.on("response", (r) => {
    if (r.status() >= 400 && ["stylesheet", "script", "image", "font"].includes(r.request().resourceType())) complaints.push(`${page.url()}: ${r.status()} for ${r.url()}`);
  });
  return page;
}

async function open(browser: Browser, options?: BrowserContextOptions): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", timezoneId: "UTC", ...options });
  return listen(await context.newPage());
}

/** One world a file, named by its room; a page per person, each with a browser of their own. */
export const test = base.extend<Pick<Worlds, "person" | "visitor">, Omit<Worlds, "person" | "visitor">>({
  room: ["", { option: true, scope: "worker" }],
  settings: [{}, { option: true, scope: "worker" }],
  database: ["sqlite", { option: true, scope: "worker" }],
  login: ["demo", { option: true, scope: "worker" }],
  world: [
    async ({ room, settings, database, login }, use) => {
      if (!room) throw new Error("the file names no room: test.use({ room })");
      const world = await World.start(settings, { database, login });
      await use(world);
      await world.stop();
    },
    { scope: "worker" },
  ],
  visitor: async ({ browser }, use) => {
    const pages: Page[] = [];
    await use(async (options) => {
      const page = await open(browser, options);
      pages.push(page);
      return page;
    });
    for (const page of pages) await page.context().close();
  },
  person: async ({ world, visitor }, use) => {
    await use(async (name, options) => {
      const page = await visitor(options);
      await page.goto(`${world.portal}/login`);
      await page.getByRole("button", { name: `Sign in as ${name}` }).click();
      await page.waitForURL(`${world.portal}/`);
      return page;
    });
  },
});

test.afterEach(() => {
  const said = complaints.splice(0);
  if (said.length > 0) throw new Error(`the browser complained:\n${said.join("\n")}`);
});
