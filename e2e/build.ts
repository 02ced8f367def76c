import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";

/** Builds the programs once, the way `make demo` does, and starts the PostgreSQL server that the journeys share. */
export default async function build(): Promise<() => Promise<void>> {
  execFileSync("go", ["build", "-o", "bin/", "./cmd/portal", "./cmd/demo", "./cmd/pades", "./e2e/cluster"], { cwd: "..", stdio: "inherit" });
  const cluster = spawn("../bin/cluster", { stdio: ["pipe", "pipe", "inherit"] });
  const [address] = (await Promise.race([once(cluster.stdout, "data"), once(cluster, "exit")])) as [unknown];
  if (!Buffer.isBuffer(address)) throw new Error("PostgreSQL did not start; `make setup` installs it");
  process.env.E2E_POSTGRES = address.toString().trim(); // the workers inherit it
  return async () => {
    cluster.stdin.end();
    if (cluster.exitCode === null) await once(cluster, "exit");
  };
}
