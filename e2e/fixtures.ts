import { test as base, expect, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from "@playwright/test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Outside, Person, type Name } from "./actions.js";
import { World, type Settings } from "./world.js";

/** Keeps one world for the tests of one file. */
class Worlds {
  private world: World | null = null;
  private file = "";

  async of(file: string, settings: Settings): Promise<World> {
    if (!this.world || this.file !== file) {
      await this.stop();
      this.world = await World.start(settings);
      this.file = file;
    }
    return this.world;
  }

  async stop(): Promise<void> {
    await this.world?.stop();
    this.world = null;
  }
}

/** Opens browsers and writes down everything in them that must never happen. */
export class Browsers {
  readonly faults: string[] = [];
  private readonly contexts: BrowserContext[] = [];

  constructor(
    private readonly browser: Browser,
    private readonly defaults: BrowserContextOptions,
    readonly world: World,
  ) {}

  async open(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({ ...this.defaults, ...options });
    this.contexts.push(context);
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
    });
    context.on("console", (m) => {
      // What the server refused is asserted by each test; a missing asset is caught below.
      if (m.type() === "error" && !m.text().startsWith("Failed to load resource: the server responded with a status of")) this.faults.push(`console: ${m.text()} at ${m.location().url}`);
    });
    context.on("weberror", (e) => this.faults.push(`script: ${e.error().message}`));
    context.on("response", (r) => {
      if (r.status() >= 400 && ["stylesheet", "script", "image", "font"].includes(r.request().resourceType())) this.faults.push(`asset: ${r.status()} ${r.url()}`);
    });
    return context.newPage();
  }

  /** Somebody who is signed in, in a browser of their own. */
  async as(name: Name, options: BrowserContextOptions = {}): Promise<Person> {
    const person = new Person(await this.open(options), this.world, name);
    await person.signIn();
    return person;
  }

  async close(): Promise<void> {
    for (const context of this.contexts) await context.close();
  }
}

type PerTest = { settings: Settings; world: World; browsers: Browsers; outside: Outside; folder: string };

export const test = base.extend<PerTest, { worlds: Worlds }>({
  worlds: [
    async ({}, use) => {
      const worlds = new Worlds();
      await use(worlds);
      await worlds.stop();
    },
    { scope: "worker" },
  ],
  settings: [{}, { option: true }],
  world: [
    async ({ worlds, settings }, use, info) => {
      await use(await worlds.of(info.file, settings));
    },
    { timeout: 60_000 },
  ],
  browsers: async ({ browser, contextOptions, world, locale, timezoneId, viewport }, use) => {
    const browsers = new Browsers(browser, { ...contextOptions, locale, timezoneId, viewport, reducedMotion: "reduce" }, world);
    await use(browsers);
    await browsers.close();
    expect(browsers.faults, "errors of scripts, policies and assets").toEqual([]);
  },
  outside: async ({ browsers, world }, use) => {
    await use(new Outside(await browsers.open(), world));
  },
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), "countersign-e2e-files-"));
    await use(folder);
    rmSync(folder, { recursive: true, force: true });
  },
});

export { expect };
