import { pdf } from "./papers.js";
import { codeOf, confirmMail, download, file, heading, issue, press, startCheck } from "./steps.js";
import { expect, test } from "./test.js";
import { run } from "./world.js";

test.use({ room: "no-script" });
test.describe.configure({ mode: "serial" });

const plain = { javaScriptEnabled: false };

test("without a script the whole way is gone: identity check, credential, upload, code, download", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada", plain), await person("Cleo", plain), await visitor()];
  const check = await startCheck(ada, world, "Basic");
  await confirmMail(outside, world, "ada@example.test");
  await expect(heading(ada, "An admin decides")).toBeVisible({ timeout: 30_000 }); // the page asks again every ten seconds
  await cleo.goto(`${world.portal}/review/${check.split("/").pop()}`);
  await cleo.getByRole("button", { name: /^Approve/ }).click();
  await expect(async () => {
    await cleo.reload();
    await expect(cleo.getByLabel("Certificate profile")).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 30_000 });
  await issue(cleo, "Basic natural person");
  await expect(heading(ada, "Your credential is ready")).toBeVisible({ timeout: 30_000 });
  await ada.getByRole("link", { name: "Documents" }).first().click();

  await ada.locator("#file").setInputFiles(file("Letter.pdf", Buffer.from("Dear Ada")));
  await ada.getByRole("button", { name: "Upload" }).click();
  await expect(ada.locator("#uploads").getByRole("alert")).toContainText("This file is not a PDF.");
  await expect(ada.locator("#uploads")).toContainText("Letter.pdf");

  const original = pdf("Without a script", 2);
  await ada.locator("#file").setInputFiles(file("Without a script.pdf", original));
  await ada.getByRole("button", { name: "Upload" }).click();
  await expect(heading(ada, "Without a script.pdf")).toBeVisible();
  await expect(ada.locator(".viewer noscript p")).toBeVisible(); // it says to read the file elsewhere
  await expect(ada.getByText("Opening the document…")).toBeHidden();
  await expect(ada.getByRole("button", { name: "Page after" })).toHaveCount(0); // nothing that would do nothing
  await ada.getByRole("link", { name: "Sign 1 document" }).click();
  await ada.getByRole("button", { name: "Check 1 document" }).click();
  await ada.getByRole("button", { name: "Send the code" }).click();
  await ada.locator("#otp").fill(await codeOf(outside, world, "ada@example.test"));
  await press(ada).click();
  await expect(heading(ada, "Signed, and checked.")).toBeVisible();
  const got = await download(ada, world);
  expect(got.bytes.subarray(0, original.length).equals(original)).toBe(true);
  expect(run("pdfsig", got.path).out).toContain("Signature is Valid");

  await ada.goto(`${world.portal}/verify`);
  await ada.locator("#file").setInputFiles(got.path);
  await ada.getByRole("button", { name: /^Verify/ }).click();
  await expect(heading(ada, "The signature is valid.")).toBeVisible();
});

test("without a script an identity check is started, moves by itself, and an admin decides", async ({ world, person, visitor }) => {
  const [ben, cleo, outside] = [await person("Ben", plain), await person("Cleo", plain), await visitor()];
  await ben.getByRole("link", { name: "Start identity check" }).click();
  await ben.getByRole("radio", { name: "Basic" }).check();
  await ben.getByRole("checkbox").check();
  await ben.getByRole("button", { name: "Start identity check" }).click();
  await expect(heading(ben, /Confirm your e-mail|We are telling DigiCert/)).toBeVisible();
  await expect(async () => confirmMail(outside, world, "ben@example.test")).toPass();
  await expect(heading(ben, "An admin decides")).toBeVisible({ timeout: 30_000 }); // the page asks again every ten seconds
  await cleo.getByRole("link", { name: /^Review/ }).first().click();
  await cleo.getByRole("row").filter({ hasText: "Ben Example" }).getByRole("link").first().click();
  await cleo.getByText("Refuse…").click();
  const form = cleo.locator(`form[action$="/refuse"]`);
  await form.locator("select").selectOption({ index: 1 });
  await form.getByRole("button", { name: /Refuse/ }).click();
  await expect(cleo.getByRole("main").getByText("Refused").first()).toBeVisible();
});
