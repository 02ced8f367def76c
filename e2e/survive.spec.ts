import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { pdf } from "./papers.js";
import { credential, file, heading, pinOf, press, sign, toTheCode, upload } from "./steps.js";
import { expect, test } from "./test.js";
import { freePort, run } from "./world.js";

test.use({ room: "survive" });
test.describe.configure({ mode: "serial" });

const email = "ada@example.test";

test("after Ctrl-C and a new start everything is where it was", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person, P-256");
  const document = await upload(ada, world, file("Kept.pdf", pdf("Kept")));
  const signed = await sign(ada, outside, world, email);
  const before = await world.ledger();

  expect(await world.end("SIGINT")).toBe(0);
  expect(world.printed()).toContain("Stopping: the portal finishes what is running.");
  await world.launch();

  await ada.goto(document); // the same browser, the same session
  await expect(heading(ada, "Kept.pdf")).toBeVisible();
  const again = await ada.request.get(`${document}/download`);
  expect((await again.body()).equals(signed.bytes)).toBe(true);
  expect(await world.ledger()).toEqual(before);
  expect(run("../bin/portal", "verify", "-roots", world.roots, signed.path).code).toBe(0); // the same root
  await outside.goto(`${world.portal}/verify`);
  await outside.locator("#file").setInputFiles(signed.path);
  await outside.getByRole("button", { name: /^Verify/ }).click();
  await expect(heading(outside, "The signature is valid.")).toBeVisible();
  await upload(ada, world, file("After the restart.pdf", pdf("After the restart")));
  await sign(ada, outside, world, email); // the key at DigiCert is still there
});

test("a kill in the middle loses nothing that was there, and signs nothing by itself", async ({ world, person, visitor }) => {
  const [ada, outside] = [await person("Ada"), await visitor()];
  const finished = await upload(ada, world, file("Finished.pdf", pdf("Finished")));
  const signed = await sign(ada, outside, world, email);
  await upload(ada, world, file("Half way.pdf", pdf("Half way")));
  await toTheCode(ada);
  const ceremony = ada.url();
  const before = await world.ledger();

  await world.end("SIGKILL");
  await world.launch();

  const again = await ada.request.get(`${finished}/download`);
  expect((await again.body()).equals(signed.bytes)).toBe(true);
  expect(run("../bin/portal", "verify", "-roots", world.roots, signed.path).code).toBe(0);
  expect(await world.ledger()).toEqual(before);
  await ada.goto(ceremony); // the step that was open waits still
  await ada.locator("#pin").fill(await pinOf(outside, world, email));
  await press(ada).click();
  await expect(heading(ada, "Signed, and checked.")).toBeVisible();
});

test("killed while DigiCert signs: the outcome is told as not known, and nobody asks twice", async ({ world, person, visitor }) => {
  const [ada, outside] = [await person("Ada"), await visitor()];
  await upload(ada, world, file("In flight.pdf", pdf("In flight")));
  await toTheCode(ada);
  const ceremony = ada.url();
  const before = (await world.ledger()).length;
  await world.trouble("signatures/signHash", { after: true, delay: "20s" }); // DigiCert signs and the answer is long on its way
  await ada.locator("#pin").fill(await pinOf(outside, world, email));
  await press(ada).click({ noWaitAfter: true });
  await expect.poll(async () => (await world.since(before))["signed"]).toBe(1);
  await world.end("SIGKILL");
  await world.launch();
  await expect(async () => { await ada.goto(ceremony); }).toPass(); // the page may be on its way to the browser's own of a lost connection
  await expect(ada.getByRole("main")).toContainText(/Signing your document|We do not know whether DigiCert signed/);
  expect(await world.since(before)).toMatchObject({ sad_issued: 1, signed: 1 });
});

test("what is running when Ctrl-C comes is finished first", async ({ world, person, visitor }) => {
  const [ada, outside] = [await person("Ada"), await visitor()];
  const document = await upload(ada, world, file("Drained.pdf", pdf("Drained")));
  await toTheCode(ada);
  const before = (await world.ledger()).length;
  await world.trouble("signatures/signHash", { after: true, delay: "2s" });
  await ada.locator("#pin").fill(await pinOf(outside, world, email));
  await press(ada).click({ noWaitAfter: true });
  await expect.poll(async () => (await world.since(before))["signed"]).toBe(1);
  expect(await world.end("SIGINT")).toBe(0);
  await world.launch();
  await ada.goto(document);
  await expect(ada.getByRole("link", { name: "Download the signed PDF" })).toBeVisible();
  const got = await ada.request.get(`${document}/download`);
  const path = join(world.data, "drained.pdf");
  writeFileSync(path, await got.body());
  expect(run("../bin/portal", "verify", "-roots", world.roots, path).code).toBe(0);
});

test("a taken port is told in a sentence with the way out", async () => {
  const port = await freePort();
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(port + 1, "127.0.0.1", resolve));
  const demo = spawnSync("../bin/demo", ["-port", String(port)], { encoding: "utf8", timeout: 10_000 });
  holder.close();
  expect(demo.status).toBe(1);
  expect(demo.stderr.trim()).toBe(`demo: port ${port + 1} is taken by another program. The demo needs three ports in a row; choose others with: make demo DEMO_PORT=9090`);
});
