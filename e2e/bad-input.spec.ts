import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { pdf } from "./papers.js";
import { credential, file, heading, pinOf, press, toTheCode, upload } from "./steps.js";
import { expect, test } from "./test.js";
import type { World } from "./world.js";

const most = 2_000_000;
test.use({ room: "bad-input", settings: { env: { MAX_UPLOAD: String(most) } } });
test.describe.configure({ mode: "serial" });

const email = "ada@example.test";
const asForm = (world: World) => ({ headers: { origin: world.portal, "sec-fetch-site": "same-origin" } });

test("pressed twice, or sent twenty times at once, one approval gives one signature", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person, P-256");
  const pin = await pinOf(outside, world, email); // good for any number of times: nothing but us stops a second use

  await upload(ada, world, file("Twice.pdf", pdf("Twice")));
  await toTheCode(ada);
  let before = (await world.ledger()).length;
  await ada.locator("#pin").fill(pin);
  await press(ada).dblclick();
  await expect(heading(ada, "Signed, and checked.")).toBeVisible();
  expect(await world.since(before)).toMatchObject({ "pin_try ok": 1, sad_issued: 1, signed: 1 });

  await upload(ada, world, file("Twenty.pdf", pdf("Twenty")));
  await toTheCode(ada);
  before = (await world.ledger()).length;
  const answers = await Promise.all(Array.from({ length: 20 }, () => ada.request.post(`${ada.url()}/authorize`, { form: { pin }, ...asForm(world) })));
  for (const answer of answers) expect(answer.status()).toBe(200); // the winner's page, each of them
  await ada.reload();
  await expect(heading(ada, "Signed, and checked.")).toBeVisible();
  expect(await world.since(before)).toMatchObject({ "pin_try ok": 1, sad_issued: 1, signed: 1 });
});

test("a code or PIN that another site sends is not even looked at", async ({ world, person }) => {
  const ada = await person("Ada");
  await upload(ada, world, file("Foreign form.pdf", pdf("Foreign form")));
  await toTheCode(ada);
  const before = (await world.ledger()).length;
  for (const headers of [{ origin: "https://elsewhere.example" }, { origin: "null" }, { "sec-fetch-site": "cross-site" }, {}] as Record<string, string>[]) {
    const answer = await ada.request.post(`${ada.url()}/authorize`, { form: { pin: "123456" }, headers });
    expect(answer.status()).toBe(403);
  }
  expect(await world.since(before)).toEqual({});
});

test("a file that cannot be signed is refused in its own row, with what helps", async ({ world, person }) => {
  const ada = await person("Ada");
  const whole = pdf("Whole");
  const plain = join(world.data, "plain.pdf");
  const locked = join(world.data, "locked.pdf");
  writeFileSync(plain, whole);
  execFileSync("qpdf", ["--encrypt", "user", "owner", "256", "--", plain, locked]);
  await ada.goto(`${world.portal}/documents`);
  const refusals: [string, Buffer, string][] = [
    ["Empty.pdf", Buffer.alloc(0), "This file is empty. You can choose another file."],
    ["Letter.pdf", Buffer.from("Dear Ada, this is a letter."), "This file is not a PDF. You can choose another file."],
    ["Half.pdf", whole.subarray(0, whole.length / 2), "The end of this PDF is missing. You can upload it once more, from where it is complete."],
    ["Locked.pdf", readFileSync(locked), "This PDF needs a password to open. Whoever made the file can save it without a password."],
    ["Large.pdf", Buffer.concat([whole, Buffer.alloc(most, "\n")]), "This file is larger than 2 MB, the most we take. Nothing was sent. Choose a smaller one."],
  ];
  for (const [name, bytes, sentence] of refusals) {
    await ada.locator("#file").setInputFiles(file(name, bytes));
    const row = ada.locator("#uploads > li").filter({ hasText: name });
    await expect(row.getByRole("alert")).toHaveText(sentence.replace("2 MB", "2\u00a0MB"));
    await expect(row.getByRole("button", { name: `Replace ${name}` })).toBeVisible();
  }
  await expect(ada.locator("#uploads > li")).toHaveCount(refusals.length); // the earlier ones still stand there
  await expect(ada).toHaveURL(`${world.portal}/documents`);

  // The server does not take the browser's word for it.
  const answer = await ada.request.put(`${world.portal}/documents?name=Large.pdf`, { data: refusals[4]![1], ...asForm(world) });
  expect(answer.status()).toBe(413);
  expect((await answer.json()).sentence).toContain("This file is larger than we take.");

  const [chooser] = await Promise.all([ada.waitForEvent("filechooser"), ada.getByRole("button", { name: "Replace Half.pdf" }).click()]);
  await chooser.setFiles(file("Whole.pdf", whole));
  await expect(ada.getByRole("main").getByRole("link", { name: "Whole.pdf" }).or(heading(ada, "Whole.pdf")).first()).toBeVisible();
});

test("what is somebody else's looks like what never was", async ({ world, person }) => {
  const [ada, ben] = [await person("Ada"), await person("Ben")];
  const document = new URL(await upload(ada, world, file("Private.pdf", pdf("Private")))).pathname;
  await toTheCode(ada);
  const ceremony = new URL(ada.url()).pathname;
  await ada.goto(`${world.portal}/credentials`);
  const held = (await ada.getByRole("row").getByRole("link").first().getAttribute("href"))!;
  const seen = async (path: string): Promise<string> => {
    const answer = (await ben.goto(world.portal + path))!;
    return `${answer.status()} ${await ben.title()} ${(await ben.getByRole("main").innerText()).replace(/Reference \S+/, "Reference")}`;
  };
  for (const path of [document, `${document}/sign`, `${document}/content`, `${document}/download`, ceremony, held, `${held}/revoke`]) {
    const madeUp = path.replace(/[0-9a-z]{20,}/, (id) => [...id].reverse().join(""));
    expect(madeUp).not.toBe(path);
    const answer = await seen(path);
    expect(answer).toMatch(/^404 /);
    expect(answer).toBe(await seen(madeUp));
  }
  // Nor can it be changed, and the refusal tells no more.
  const before = (await world.ledger()).length;
  for (const path of [`${document}/sign`, `${document}/erase`, `${ceremony}/code`, `${ceremony}/authorize`, `${ceremony}/cancel`, `${held}/suspend`, `${held}/revoke`]) {
    const answer = await ben.request.post(world.portal + path, { form: { credential: "x", pin: "123456", reason: "KEY_COMPROMISE", name: "x" }, ...asForm(world) });
    expect(answer.status(), path).toBe(404);
  }
  expect(await world.since(before)).toEqual({});
  await ada.goto(world.portal + ceremony);
  await expect(press(ada)).toBeVisible(); // untouched
});

const troubles: [string, Record<string, unknown>][] = [
  ["answers 500", { status: 500, body: "{}" }],
  ["answers nonsense", { garbage: true }],
  ["hangs up", { drop: true }],
];

async function calm(world: World): Promise<void> {
  await world.noTrouble();
  await new Promise((resolve) => setTimeout(resolve, 5_500)); // the portal leaves a service alone for five seconds after failures
}

for (const [what, fault] of troubles) {
  test(`DigiCert ${what}: the page says what is known, and whether anything was signed`, async ({ world, person, visitor }) => {
    const [ada, outside] = [await person("Ada"), await visitor()];
    const pin = await pinOf(outside, world, email);
    const main = ada.getByRole("main");
    const approve = async (page: Page) => {
      await page.locator("#pin").fill(pin);
      await press(page).click();
    };

    // Before anything: the checks.
    await upload(ada, world, file(`Before, ${what}.pdf`, pdf("Before")));
    let before = (await world.ledger()).length;
    await world.trouble("credentials/info", { ...fault, n: 20 });
    await ada.getByRole("link", { name: "Sign 1 document" }).first().click();
    await ada.getByRole("button", { name: "Check 1 document" }).click();
    await expect(main).toContainText(/DigiCert cannot be reached at the moment|DigiCert is too busy/);
    await expect(main).toContainText(/Nothing (is|was) signed/);
    expect(await world.since(before)).toEqual({});
    await calm(world);
    await ada.getByRole("button", { name: "Check 1 document" }).click();

    // At the approval: it may be spent, and nothing was signed.
    await world.trouble("credentials/authorize", fault);
    await approve(ada);
    await expect(main).toContainText("DigiCert did not answer clearly when we handed over the approval.");
    await expect(main).toContainText("Nothing was signed");
    await expect(main).toContainText(/Reference \S+/);
    expect(await world.since(before)).toEqual({});
    await calm(world);
    await approve(ada);
    await expect(heading(ada, "Signed, and checked.")).toBeVisible();
    expect(await world.since(before)).toMatchObject({ sad_issued: 1, signed: 1 });

    // At the signature: nobody can know, or a whole answer that is of no use.
    const document = await upload(ada, world, file(`At the key, ${what}.pdf`, pdf("At the key")));
    await toTheCode(ada);
    before = (await world.ledger()).length;
    const asked = await world.calls("signatures/signHash");
    await world.trouble("signatures/signHash", { ...fault, after: true });
    await approve(ada);
    await expect(main).toContainText(/We do not know whether DigiCert signed|DigiCert answered with something that is not the signatures/);
    await expect(main).toContainText(/A signature may exist at DigiCert|DigiCert may have made a signature/);
    await expect(main).not.toContainText("Nothing was signed");
    expect(await world.since(before)).toMatchObject({ sad_issued: 1, signed: 1 }); // the simulator did sign
    await calm(world);
    expect((await world.calls("signatures/signHash")) - asked).toBe(1); // and was not asked again
    await ada.goto(document);
    await expect(ada.getByRole("link", { name: "Download the signed PDF" })).toHaveCount(0);
  });
}
