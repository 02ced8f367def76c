import { defineConfig } from "@playwright/test";
import type { Ground } from "./world.js";

// Two workers: each file has a world of its own, and while one waits for a code or a job the
// other uses the cores; measured, that saves a third of the time on two of them.
export default defineConfig<object, Ground>({
  testDir: ".",
  workers: 2,
  retries: 1, // told as flaky, so that a slow machine does not hide among failures
  timeout: 120_000,
  expect: { timeout: 15_000 },
  forbidOnly: true,
  globalSetup: "./build.ts",
  reporter: [["list"]],
  projects: [
    { name: "sqlite", testIgnore: /another\.spec\.ts/ },
    // Every journey that writes or lists. What pages look like, say, forbid or do without a script,
    // and what the simulator does, does not depend on where rows are.
    { name: "postgresql", use: { database: "postgresql" }, testIgnore: /(look|another|switchboard|access|german|policy|no-script)\.spec\.ts/ },
    // A provider of another make: what is about signing in, and one whole way to a signed file.
    { name: "another provider", use: { login: "another" }, testMatch: /(login|another)\.spec\.ts/ },
  ],
  use: {
    actionTimeout: 15_000,
    locale: "en-GB",
    timezoneId: "UTC",
    viewport: { width: 1280, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    },
  },
});
