import { execFileSync } from "node:child_process";

/** Builds the programs once, the way `make demo` does. */
export default function build(): void {
  execFileSync("go", ["build", "-o", "bin/", "./cmd/portal", "./cmd/demo", "./cmd/pades"], { cwd: "..", stdio: "inherit" });
}
