// Builds assets/ into static/dist: bundled, minified, named after their content, with a
// manifest that package static reads. Everything it writes is committed, so that
// `go build` never needs npm. Run by `make generate`.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const dist = join(here, "static", "dist");
const pdfjs = join(here, "node_modules", "pdfjs-dist");
const { version } = JSON.parse(await readFile(join(pdfjs, "package.json"), "utf8"));
const folder = `pdfjs-${version}`; // its data files keep their names, so the folder carries the version

await rm(dist, { recursive: true, force: true });
await mkdir(join(dist, folder), { recursive: true });

const manifest = {};

// The worker is a file of its own; viewer.ts is told its final name.
const worker = await readFile(join(pdfjs, "build", "pdf.worker.min.mjs"));
const workerName = `pdf.worker-${createHash("sha256").update(worker).digest("hex").slice(0, 8).toUpperCase()}.js`;
await writeFile(join(dist, workerName), worker);
manifest["pdf.worker.js"] = workerName;

const result = await build({
  absWorkingDir: here,
  entryPoints: ["assets/app.css", "assets/ts/app.ts", "assets/ts/upload.ts", "assets/ts/viewer.ts"],
  outdir: dist,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  metafile: true,
  format: "esm",
  target: ["es2022", "chrome123", "firefox121", "safari17.5"],
  loader: { ".woff2": "file" },
  legalComments: "none",
  define: {
    PDF_WORKER: JSON.stringify(`/static/${workerName}`),
    PDF_DATA: JSON.stringify(`/static/${folder}/`),
  },
  logLevel: "warning",
});

for (const [file, output] of Object.entries(result.metafile.outputs)) {
  const name = basename(file);
  if (output.entryPoint) {
    manifest[basename(output.entryPoint).replace(/\.ts$/, ".js")] = name;
  } else if (name.startsWith("inter-latin-opsz")) {
    manifest["inter.woff2"] = name;
  }
}

// Character maps and the standard fonts that PDF files do not carry.
for (const part of ["cmaps", "standard_fonts"]) {
  await cp(join(pdfjs, part), join(dist, folder, part), { recursive: true });
}
await mkdir(join(dist, folder, "wasm"));
for (const name of await readdir(join(pdfjs, "wasm"))) {
  if (name === "openjpeg_nowasm_fallback.js" || name.startsWith("LICENSE")) {
    await cp(join(pdfjs, "wasm", name), join(dist, folder, "wasm", name));
  }
}

const sorted = Object.fromEntries(Object.entries(manifest).sort());
await writeFile(join(dist, "manifest.json"), JSON.stringify(sorted, null, 2) + "\n");
