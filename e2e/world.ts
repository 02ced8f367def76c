import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One demo, started from the built programs on free ports with a folder of its own. */
export class World {
  private constructor(
    readonly portal: string,
    readonly simulator: string,
    readonly provider: string,
    readonly data: string,
    private readonly port: number,
    private readonly args: string[],
    private child: ChildProcess,
  ) {}

  static async start(...args: string[]): Promise<World> {
    const port = await freePort();
    const data = mkdtempSync(join(tmpdir(), "countersign-e2e-"));
    const child = launch(port, data, args);
    const world = new World(`http://localhost:${port}`, `http://localhost:${port + 1}`, `http://localhost:${port + 2}`, data, port, args, child);
    await world.ready();
    return world;
  }

  /** Ends the demo as Ctrl-C does, or at once with SIGKILL, and starts it on the same data. */
  async restart(signal: NodeJS.Signals = "SIGINT"): Promise<void> {
    await this.end(signal);
    this.child = launch(this.port, this.data, this.args);
    await this.ready();
  }

  async stop(): Promise<void> {
    await this.end("SIGINT");
    rmSync(this.data, { recursive: true, force: true });
  }

  private end(signal: NodeJS.Signals): Promise<void> {
    return new Promise((resolve) => {
      if (this.child.exitCode !== null) return resolve();
      this.child.once("exit", () => resolve());
      this.child.kill(signal);
    });
  }

  private async ready(): Promise<void> {
    for (let i = 0; i < 300; i++) {
      if (this.child.exitCode !== null) throw new Error(`the demo ended with ${this.child.exitCode}`);
      try {
        if ((await fetch(`${this.portal}/readyz`)).ok) return;
      } catch {
        /* not yet */
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("the demo did not get ready in 30 s");
  }

  /** The simulator's ledger: what DTM was really asked to do. */
  async ledger(): Promise<LedgerEntry[]> {
    const answer = await fetch(`${this.simulator}/sim/v1/ledger`);
    if (!answer.ok) throw new Error(`ledger: ${answer.status}`);
    return (await answer.json()) as LedgerEntry[];
  }

  /** A control route of the simulator. */
  async control(path: string, body: unknown = {}): Promise<unknown> {
    const answer = await fetch(`${this.simulator}/sim/v1/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? undefined : await answer.json().catch(() => undefined);
  }

  /** Everything the portal wrote to its log. */
  log(): string {
    return readFileSync(join(this.data, "portal.log"), "utf8");
  }
}

export type LedgerEntry = { kind: string; credential?: string; [key: string]: unknown };

function launch(port: number, data: string, args: string[]): ChildProcess {
  return spawn("../bin/demo", ["-port", String(port), "-data", data, "-fast", ...args], { stdio: ["ignore", "ignore", "inherit"] });
}

/** A port with two free ones after it. */
async function freePort(): Promise<number> {
  for (let i = 0; i < 50; i++) {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    if ((await Promise.all([port, port + 1, port + 2].map(isFree))).every(Boolean)) return port;
  }
  throw new Error("no three free ports in a row");
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
    const failed = e as { status: number; stdout: string; stderr: string };
    return { code: failed.status, out: `${failed.stdout}${failed.stderr}` };
  }
}
