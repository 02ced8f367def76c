import { expect, type Locator, type Page } from "@playwright/test";
import { createHash } from "node:crypto";
import type { World } from "./world.js";

/** The people of the demo. */
export type Name = "Ada" | "Ben" | "Cleo" | "Dora";
export type Standard = "Basic" | "Advanced+";
export type File = { name: string; bytes: Buffer };

/** The words on the pages that the tests go by, in one place. */
export const say = {
  signIn: "Sign in",
  signOut: "Sign out",
  startCheck: "Start identity check",
  cancelCheck: "Cancel this check",
  check: {
    email: "Confirm your e-mail",
    papers: "Show DigiCert your papers",
    submitted: "DigiCert has your papers",
    review: "DigiCert is looking at your papers",
    again: "Send your papers again",
    decides: "An admin decides",
    held: "Approved, can still be undone",
  },
  state: { active: "Active", pending: "Being made", suspended: "Suspended", revoked: "Revoked" },
  askForCorrection: "Ask for a correction",
  issue: "Have 1 credential made",
  undo: "Undo the approval",
  chooseFile: /Choose (a PDF|PDFs|a file)/,
  sign: "Sign 1 document",
  checkDocument: "Check 1 document",
  sendCode: "Send the code",
  signed: "Signed, and checked.",
  download: "Download the signed PDF",
  verify: "Verify 1 file",
  missing: "There is nothing here",
};

export const email = (name: Name): string => `${name.toLowerCase()}@example.test`;

export const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

export const pdfFile = ({ name, bytes }: File) => ({ name, mimeType: "application/pdf", buffer: bytes });

/** The one heading that names what the page is about. */
export const title = (page: Page): Locator => page.getByRole("heading", { level: 1 });

/** A person at the portal, in a browser of their own. */
export class Person {
  constructor(
    readonly page: Page,
    readonly world: World,
    readonly name: Name,
  ) {}

  get email(): string {
    return email(this.name);
  }

  get title(): Locator {
    return title(this.page);
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole("button", { name });
  }

  link(name: string | RegExp): Locator {
    return this.page.getByRole("link", { name });
  }

  async open(path: string) {
    return this.page.goto(this.world.portal + path);
  }

  async signIn(path = "/"): Promise<void> {
    await this.open(path === "/" ? "/login" : path);
    await this.chooseAccount();
    await this.page.waitForURL(this.world.portal + path);
  }

  async chooseAccount(): Promise<void> {
    await this.button(`Sign in as ${this.name}`).click();
  }

  async signOut(): Promise<void> {
    await this.page.locator("#account-menu > summary").click();
    await this.button(say.signOut).click();
  }

  async startCheck(standard: Standard): Promise<void> {
    await this.open("/identity-checks/new");
    await this.page.getByRole("radio", { name: standard === "Basic" ? /^Basic/ : /^Advanced/ }).check();
    await this.page.getByRole("checkbox", { name: /I agree/ }).check();
    await this.button(say.startCheck).click();
    await this.page.waitForURL(/\/identity-checks\/(?!new)/);
  }

  // Review

  async openCase(of: Name): Promise<void> {
    await this.open("/review");
    await this.link(new RegExp(`^${of}\\b`)).first().click();
    await expect(this.title).toContainText(of);
  }

  async approve(): Promise<void> {
    await this.button(/^Approve /).click();
  }

  async decideWith(form: "correct" | "refuse", reason: string, note = ""): Promise<void> {
    const part = this.page.locator(`#${form}`);
    await part.locator("summary").click();
    await part.getByLabel("Reason").selectOption({ label: reason });
    await part.getByLabel(/^Note for/).fill(note);
    await part.getByRole("button").click();
  }

  async issue(profile: string): Promise<void> {
    await this.page.getByLabel("Certificate profile").selectOption({ label: profile });
    await this.button(say.issue).click();
  }

  // Documents

  async upload(file: File): Promise<string> {
    await this.open("/documents");
    await this.page.locator("#file").setInputFiles(pdfFile(file));
    await this.page.waitForURL(/\/documents\/[^/?#]+$/);
    return new URL(this.page.url()).pathname.split("/").pop()!;
  }

  /** From a document to the page that asks for the factor, or for the code to be sent. */
  async begin(document: string): Promise<string> {
    await this.open(`/documents/${document}/sign`);
    await this.button(say.checkDocument).click();
    await this.page.waitForURL(/\/ceremonies\//);
    return new URL(this.page.url()).pathname.split("/").pop()!;
  }

  async sendCode(): Promise<void> {
    await this.button(say.sendCode).click();
    await expect(this.title).toHaveText(/^Enter /);
  }

  get code(): Locator {
    return this.page.locator("#otp");
  }

  get pin(): Locator {
    return this.page.locator("#pin");
  }

  async enter(factors: { code?: string; pin?: string }): Promise<void> {
    if (factors.code !== undefined) await this.code.fill(factors.code);
    if (factors.pin !== undefined) await this.pin.fill(factors.pin);
    await this.button(say.sign).click();
  }

  async download(name = say.download): Promise<File> {
    const coming = this.page.waitForEvent("download");
    await this.link(name).click();
    const download = await coming;
    const parts: Buffer[] = [];
    for await (const part of await download.createReadStream()) parts.push(part as Buffer);
    return { name: download.suggestedFilename(), bytes: Buffer.concat(parts) };
  }

  /** Uploads, signs with a PIN, and answers the signed file: for tests that are about what follows. */
  async signWithPIN(file: File): Promise<File> {
    await this.begin(await this.upload(file));
    await this.enter({ pin: await pinOf(this.world, this.name) });
    await expect(this.title).toHaveText(say.signed);
    return this.download();
  }
}

/** The outside world: the simulator's mailbox, phone and proofing desk, as a person sees them. */
export class Outside {
  constructor(
    readonly page: Page,
    readonly world: World,
  ) {}

  async confirmEmail(of: Name): Promise<void> {
    await this.page.goto(`${this.world.simulator}/mailbox?to=${email(of)}`);
    await this.page.getByRole("link", { name: "Confirm your e-mail" }).first().click();
    await expect(title(this.page)).toHaveText("E-mail confirmed");
  }

  async openPapers(of: Name): Promise<void> {
    await this.page.goto(`${this.world.simulator}/desk`);
    await this.page.getByRole("link", { name: new RegExp(`^${of}\\b`) }).first().click();
  }

  async desk(...steps: ("Submit papers" | "Start review" | "Verified" | "Ask to send again" | "Refuse")[]): Promise<void> {
    for (const step of steps) await this.page.getByRole("button", { name: step }).click();
  }

  /** The code on the phone's page, as somebody would read it there. */
  async readCode(of: Name): Promise<string> {
    await this.page.goto(`${this.world.simulator}/phone?user=${email(of)}`);
    return (await this.page.getByLabel("Text message").first().locator("code").innerText()).trim();
  }

  async readTOTP(of: Name): Promise<string> {
    await this.page.goto(`${this.world.simulator}/phone?user=${email(of)}`);
    return (await this.page.getByLabel("Authenticator").locator("code").innerText()).trim();
  }

  async readPIN(of: Name): Promise<string> {
    await this.page.goto(`${this.world.simulator}/mailbox?to=${email(of)}`);
    return (await this.page.locator("article", { hasText: "Your PIN" }).first().locator("code").innerText()).trim();
  }

  async answerPush(of: Name, answer: "Approve" | "Decline"): Promise<void> {
    await this.page.goto(`${this.world.simulator}/phone?user=${email(of)}`);
    await this.page.getByRole("button", { name: answer }).click();
  }
}

export async function codeOf(world: World, name: Name): Promise<string> {
  return ((await world.ask(`otp?user=${email(name)}`)) as { code: string }).code;
}

export async function pinOf(world: World, name: Name): Promise<string> {
  return ((await world.ask(`pin?user=${email(name)}`)) as { pin: string }).pin;
}

/** A code that is not the given one. */
export function otherCode(code: string): string {
  return code.slice(0, -1) + ((Number(code.at(-1)) + 1) % 10);
}

type Validation = { id: string; status: string; user: { email: string } };

/** Plays everything outside the portal for a person's newest identity check, without pages. */
export async function prove(world: World, name: Name): Promise<void> {
  const find = async (...statuses: string[]): Promise<Validation> => {
    let found: Validation | undefined;
    await expect
      .poll(async () => {
        const { validations } = (await world.ask("state")) as { validations: Validation[] };
        found = validations.filter((v) => v.user.email === email(name) && statuses.includes(v.status)).at(-1);
        return found?.status;
      })
      .toBeTruthy();
    return found!;
  };
  const { id } = await find("PENDING_EMAIL");
  await world.control(`validation/${id}/confirm-email`);
  if ((await find("PENDING_IDENTITY", "PENDING_APPROVAL")).status === "PENDING_APPROVAL") return;
  await world.control(`validation/${id}/submit`);
  await world.control(`validation/${id}/verify`);
}

/** Profiles of the simulator, by what they ask for. */
export const profiles = {
  code: "Basic natural person",
  codeP256: "Basic natural person, one at a time",
  codeAndPIN: "Advanced natural person",
  pinP256: "Advanced natural person, P-256",
  authenticator: "Advanced natural person, authenticator",
  app: "Advanced natural person, app approval",
  nothing: "Organization seal",
};

/** Takes a signer from nothing to an active credential. */
export async function equip(signer: Person, admin: Person, profile: string): Promise<void> {
  await signer.startCheck(profile.startsWith("Advanced") ? "Advanced+" : "Basic");
  await prove(signer.world, signer.name);
  await expect(signer.title).toHaveText(say.check.decides);
  await admin.openCase(signer.name);
  await admin.approve();
  await issueTo(signer, admin, profile);
}

/** Has a credential made on the open case of an approved check. */
export async function issueTo(signer: Person, admin: Person, profile: string): Promise<void> {
  await admin.issue(profile);
  await expect(admin.page.getByRole("complementary").getByText(say.state.active)).toBeVisible({ timeout: 30_000 });
}
