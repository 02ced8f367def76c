import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AnotherProvider } from "./provider.js";

/** How a demo is started: more arguments, and configuration for the portal. */
export type Settings = { args?: string[]; env?: Record<string, string> };

/** What a project puts under every world of its own: where rows are kept, and who knows the people. */
export type Ground = { database: "sqlite" | "postgresql"; login: "demo" | "another" };

/** One demo, started from the built programs on free ports with a folder of its own. */
export class World {
  private child!: ChildProcess;
  private said = "";

  private constructor(
    readonly port: number,
    readonly data: string,
    private readonly settings: Settings,
    readonly another?: AnotherProvider,
  ) {}

  get portal(): string {
    return `http://localhost:${this.port}`;
  }

  get simulator(): string {
    return `http://localhost:${this.port + 1}`;
  }

  get provider(): string {
    return this.another?.url ?? `http://localhost:${this.port + 2}`;
  }

  /** The simulator's root certificate, a PEM file. */
  get roots(): string {
    return join(this.data, "roots.pem");
  }

  static async start(settings: Settings = {}, ground: Ground = { database: "sqlite", login: "demo" }): Promise<World> {
    const port = await freePort();
    const env: Record<string, string> = {};
    if (ground.database === "postgresql") env.DATABASE_URL = newDatabase();
    let another: AnotherProvider | undefined;
    if (ground.login === "another") {
      const { AnotherProvider, client } = await import("./provider.js"); // it has much to say as soon as it is loaded
      another = await AnotherProvider.start(port + 3, `http://localhost:${port}`);
      Object.assign(env, { OIDC_ISSUER: another.url, OIDC_CLIENT_ID: client.id, OIDC_CLIENT_SECRET: client.secret });
    }
    const world = new World(port, mkdtempSync(join(tmpdir(), "countersign-e2e-")), { ...settings, env: { ...env, ...settings.env } }, another);
    await world.launch();
    return world;
  }

  async stop(): Promise<void> {
    await this.end("SIGINT");
    await this.another?.stop();
    rmSync(this.data, { recursive: true, force: true });
  }

  /** Ends the demo and answers its exit code, null after a kill. */
  async end(signal: "SIGINT" | "SIGKILL"): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    // A killed demo cannot end its child, so a power cut has to be played on both.
    const portals = signal === "SIGKILL" ? childrenOf(this.child.pid!) : [];
    this.child.kill(signal);
    for (const pid of portals) process.kill(pid, "SIGKILL");
    await ended;
    while (!(await isFree(this.port))) await new Promise((resolve) => setTimeout(resolve, 20)); // a killed portal is gone a moment later
    return this.child.exitCode;
  }

  /** What the demo printed. */
  printed(): string {
    return this.said;
  }

  /** Starts the demo on its data, as the first time. */
  async launch(): Promise<void> {
    this.said = "";
    this.child = spawn("../bin/demo", ["-port", String(this.port), "-data", this.data, "-fast", ...(this.settings.args ?? [])], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...this.settings.env },
    });
    this.child.stdout!.on("data", (text) => (this.said += text));
    this.child.stderr!.on("data", (text) => (this.said += text));
    for (let i = 0; i < 300; i++) {
      if (this.child.exitCode !== null) throw new Error(`the demo ended with ${this.child.exitCode}: ${this.said}`);
      if (this.said.includes("Ctrl-C stops")) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`the demo did not get ready in 30 s: ${this.said}`);
  }

  /** The simulator's ledger: what DTM was really asked to do. */
  async ledger(kind?: string): Promise<LedgerEntry[]> {
    const all = (await this.ask("ledger")) as LedgerEntry[];
    return kind ? all.filter((entry) => entry.kind === kind) : all;
  }

  /** How many entries of each kind the ledger has gained since it was this long; that a used SAD died is no news. */
  async since(length: number): Promise<Record<string, number>> {
    const count: Record<string, number> = {};
    for (const { kind, outcome } of (await this.ledger()).slice(length)) {
      if (kind === "sad_died") continue;
      const name = outcome ? `${kind} ${outcome}` : kind;
      count[name] = (count[name] ?? 0) + 1;
    }
    return count;
  }

  /** How often DTM was called at a path that ends so. */
  async calls(path: string): Promise<number> {
    return ((await this.ask("calls")) as { path: string }[]).filter((call) => call.path.endsWith(path)).length;
  }

  /** A control route of the simulator, read. */
  async ask(path: string): Promise<unknown> {
    const answer = await fetch(`${this.simulator}/sim/v1/${path}`);
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  }

  /** A control route of the simulator. */
  async control(path: string, body: unknown = {}): Promise<unknown> {
    const answer = await fetch(`${this.simulator}/sim/v1/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  }

  /** The next n calls to a path are answered as told; see Fault in dtmsim. */
  async trouble(path: string, fault: Record<string, unknown>): Promise<void> {
    await this.control("faults", { path, ...fault });
  }

  async noTrouble(): Promise<void> {
    await fetch(`${this.simulator}/sim/v1/faults`, { method: "DELETE" });
  }

  /** Everything the portal wrote to its log. */
  log(): string {
    return readFileSync(join(this.data, "portal.log"), "utf8");
  }
}

export type LedgerEntry = { kind: string; user?: string; credential?: string; outcome?: string; hashes?: string[]; sad?: string };

function childrenOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`); // any of them may have started one
  return threads.flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number));
}

/** An empty database of the server that all journeys of a run share. */
function newDatabase(): string {
  const server = process.env.E2E_POSTGRES!;
  const name = `journey_${Date.now()}_${process.pid}`;
  execFileSync("psql", ["--no-psqlrc", "--quiet", "--command", `CREATE DATABASE ${name}`, server]);
  return server.replace("/postgres?", `/${name}?`);
}

/** A port with three free ones after it, below those that the system hands out by itself. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < 50; i++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if ((await Promise.all([port, port + 1, port + 2, port + 3].map(isFree))).every(Boolean)) return port;
  }
  throw new Error("no four free ports in a row");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Runs a tool and answers what it printed, whatever its exit code. */
export function run(command: string, ...args: string[]): { code: number; out: string } {
  try {
    return { code: 0, out: execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }) };
  } catch (e) {
    const failed = e as { status: number | null; stdout: string; stderr: string; message: string };
    if (failed.status === null) throw new Error(`${command} could not be run: ${failed.message}`);
    return { code: failed.status, out: `${failed.stdout}${failed.stderr}` };
  }
}
