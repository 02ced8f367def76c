import { pdf } from "./papers.js";
import { file, heading, upload } from "./steps.js";
import { expect, forgetComplaints, test } from "./test.js";

test.use({ room: "policy" });

test("every page forbids what it does not need, and what is smuggled in does not run", async ({ world, person, visitor }) => {
  const anyone = await visitor();
  for (const path of ["/", "/verify", "/help", "/accessibility", "/privacy", "/nothing-here", "/static/app.css"]) {
    const headers = (await anyone.request.get(world.portal + path)).headers();
    const policy = headers["content-security-policy"] ?? "";
    expect(policy, path).toContain("default-src 'none'");
    expect(policy, path).toContain("frame-ancestors 'none'");
    expect(policy, path).not.toMatch(/unsafe-|data:\s*'|\*/);
    expect(headers["x-content-type-options"], path).toBe("nosniff");
    expect(headers["set-cookie"] ?? "", path).not.toMatch(/SameSite=None/i);
  }

  const ada = await person("Ada");
  await ada.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = 'a script'";
    document.body.append(script);
    document.body.insertAdjacentHTML("beforeend", `<img src="/nothing" onerror="window.ran = 'a handler'"><iframe srcdoc="<script>parent.ran = 'a frame'</script>"></iframe>`);
    const far = document.createElement("script");
    far.src = "http://localhost:1/far.js";
    document.body.append(far);
  });
  await expect.poll(() => forgetComplaints().join("\n")).toMatch(/Content Security Policy/);
  expect(await ada.evaluate(() => (window as unknown as { ran?: string }).ran)).toBeUndefined();
  await ada.close();
  forgetComplaints();
});

test("names and words from outside are shown, never obeyed", async ({ world, person, visitor }) => {
  const ada = await person("Ada");
  const name = `"><img src=x onerror=alert(1)><svg onload=alert(2)>.pdf`;
  await upload(ada, world, file(name, pdf("</title><script>alert(3)</script>")));
  await expect(heading(ada, /onerror/)).toBeVisible();
  expect(await ada.locator("h1 *").count()).toBe(0);
  await ada.goto(`${world.portal}/documents?q=${encodeURIComponent(`"><svg onload=alert(4)>`)}&show=<b>`);
  await expect(ada.getByRole("searchbox")).toHaveValue(`"><svg onload=alert(4)>`);

  const anyone = await visitor();
  await anyone.goto(`${world.portal}/verify`);
  await anyone.locator("#file").setInputFiles(file(name, pdf("Unsigned")));
  await anyone.getByRole("button", { name: /^Verify/ }).click();
  await expect(heading(anyone, /no signature/)).toBeVisible();
  await expect(anyone.getByRole("main")).toContainText("<svg onload=alert(2)>");

  // Where to go after signing in is one of our own pages, or the first one.
  for (const to of ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(5)"]) {
    const page = await visitor();
    await page.goto(`${world.portal}/login?return_to=${encodeURIComponent(to)}`);
    await page.getByRole("button", { name: "Sign in as Ben" }).click();
    await expect(page).toHaveURL(`${world.portal}/`);
  }
});
