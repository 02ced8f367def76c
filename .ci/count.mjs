// Counts the results of `go test -json` and of Playwright, tells what failed or was
// skipped and why, and ends with one line. Exits 1 when anything failed or nothing ran.
import { existsSync, readFileSync } from "node:fs";

const [goFile, e2eFile, checks, failedChecks] = process.argv.slice(2);
const total = { passed: Number(checks), failed: Number(failedChecks), skipped: 0 };
const output = new Map();
let goRan = 0;

for (const line of readFileSync(goFile, "utf8").split("\n")) {
  if (!line.startsWith("{")) continue;
  const event = JSON.parse(line);
  const key = `${event.Package ?? event.ImportPath} ${event.Test ?? ""}`;
  if (event.Action === "output" || event.Action === "build-output") {
    output.set(key, (output.get(key) ?? "") + event.Output);
    continue;
  }
  if (event.Action === "fail" && !event.Test) {
    const text = output.get(key) ?? "";
    const build = output.get(`${event.FailedBuild ?? ""} `) ?? "";
    if (event.FailedBuild || !/FAIL/.test(text) || /panic:|timed out/.test(text)) {
      total.failed++;
      console.log(`FAILED: package ${key}\n${build}${text.slice(-4000)}`);
    }
    continue;
  }
  if (!event.Test) continue;
  if (event.Action === "pass") { total.passed++; goRan++; }
  if (event.Action === "fail") { total.failed++; goRan++; console.log(`FAILED: ${key}\n${(output.get(key) ?? "").slice(-4000)}`); }
  if (event.Action === "skip") { total.skipped++; console.log(`skipped: ${key}\n${(output.get(key) ?? "").trim().split("\n").slice(-2).join("\n")}`); }
}
if (goRan === 0) { total.failed++; console.log("FAILED: no Go test ran"); }

const ran = new Map(); // browser tests by project
if (existsSync(e2eFile)) {
  const walk = (suite) => {
    for (const spec of suite.specs ?? []) {
      for (const test of spec.tests) {
        ran.set(test.projectName, (ran.get(test.projectName) ?? 0) + 1);
        const name = `[${test.projectName}] ${spec.file} ${spec.title}`;
        if (test.status === "expected") total.passed++;
        else if (test.status === "flaky") { total.passed++; console.log(`flaky, passed the second time: ${name}`); }
        else if (test.status === "skipped") { total.skipped++; console.log(`skipped: ${name}: ${test.annotations.map((a) => a.description).join("; ")}`); }
        else { total.failed++; console.log(`FAILED: ${name}`); }
      }
    }
    (suite.suites ?? []).forEach(walk);
  };
  const report = JSON.parse(readFileSync(e2eFile, "utf8"));
  report.suites.forEach(walk);
  for (const { name } of report.config.projects) {
    if (!ran.has(name)) { total.failed++; console.log(`FAILED: no browser test of [${name}] ran`); }
  }
  for (const error of report.errors) { total.failed++; console.log(`FAILED: outside of the browser tests: ${error.message}`); }
}
if (ran.size === 0) { total.failed++; console.log("FAILED: no browser test ran"); }

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 ? 1 : 0);
