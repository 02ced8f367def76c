import { defineConfig } from "@playwright/test";

// One worker: each file starts a world of its own, and two cores are enough for one.
export default defineConfig({
  testDir: ".",
  workers: 1,
  retries: 1, // told as flaky, so that a slow machine does not hide among failures
  timeout: 120_000,
  expect: { timeout: 15_000 },
  forbidOnly: true,
  globalSetup: "./build.ts",
  reporter: [["list"]],
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
