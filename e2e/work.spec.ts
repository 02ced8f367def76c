import { createServer, type Server } from "node:net";
import { credential, heading, picture } from "./steps.js";
import { expect, test } from "./test.js";

// A mail server that is away until it is started.
const port = 20_000 + Math.floor(Math.random() * 6_000);
test.use({ room: "work", settings: { env: { SMTP_URL: `smtp://127.0.0.1:${port}?tls=none` } } });

/** As much of SMTP as takes mails (RFC 5321). */
function mailServer(taken: string[]): Server {
  return createServer((socket) => {
    let letter = "";
    let inside = false;
    socket.on("error", () => undefined);
    socket.write("220 mail.example.test\r\n");
    socket.on("data", (bytes) => {
      for (const line of bytes.toString().split("\r\n").slice(0, -1)) {
        if (inside && line === ".") {
          inside = false;
          taken.push(letter);
          socket.write("250 taken\r\n");
        } else if (inside) letter += `${line}\n`;
        else if (/^DATA/i.test(line)) {
          inside = true;
          letter = "";
          socket.write("354 go on\r\n");
        } else if (/^QUIT/i.test(line)) socket.end("221 bye\r\n");
        else socket.write("250 fine\r\n");
      }
    });
  }).listen(port, "127.0.0.1");
}

test("an admin sees what waits too long with its cause, and has it tried again at once", async ({ world, person, visitor }) => {
  const [ada, cleo, outside] = [await person("Ada"), await person("Cleo"), await visitor()];
  await cleo.goto(`${world.portal}/work`);
  await expect(cleo.getByRole("main")).toContainText("Nothing waits too long");
  await credential(world, ada, cleo, outside, "Ada", "Advanced natural person, P-256");

  await cleo.goto(`${world.portal}/work`);
  const again = cleo.getByRole("main").getByRole("button", { name: "Try again now" });
  await expect(again).not.toHaveCount(0, { timeout: 30_000 }); // by itself, while the page is open
  await expect(cleo.getByRole("main")).toContainText("The mail server did not take it");
  await expect(cleo.getByRole("main")).toContainText("Next try");
  await expect(cleo.getByRole("main")).not.toContainText("ada@example.test"); // whom a mail is to is not told
  await cleo.goto(`${world.portal}/credentials`);
  const menu = cleo.locator("#account-menu");
  await expect(menu.locator("summary").getByRole("img", { name: /waits? too long/ })).toBeVisible();
  await menu.locator("summary").click();
  await menu.getByRole("link", { name: /waits? too long/ }).click();
  await expect(heading(cleo, "Work that waits")).toBeVisible();
  await picture(cleo, "work");

  // The server is back, and nobody has to wait for the next try.
  const taken: string[] = [];
  const server = mailServer(taken);
  try {
    for (let n = await again.count(); n > 0; n = await again.count()) {
      await again.first().click();
      await expect(async () => {
        await cleo.goto(`${world.portal}/work`);
        expect(await again.count()).toBeLessThan(n);
      }).toPass({ timeout: 30_000 });
    }
    await expect(cleo.getByRole("main")).toContainText("Nothing waits too long");
    expect(taken.some((letter) => letter.includes("ada@example.test"))).toBe(true);
  } finally {
    server.close();
  }
});
