// Signs one file with one of the packages that JavaScript has for it, the way its own
// documentation says: node sign.mjs PEER IN OUT KEY.p12 (password "bench").
import { readFile, writeFile } from "node:fs/promises";

const [peer, from, to, keyFile] = process.argv.slice(2);
const [pdf, p12] = await Promise.all([readFile(from), readFile(keyFile)]);
const about = { reason: "Bench", contactInfo: "", name: "Bench", location: "" };
const placeholders = {
  plain: async () => (await import("@signpdf/placeholder-plain")).plainAddPlaceholder({ pdfBuffer: pdf, ...about }),
  "pdf-lib": async () => {
    const { PDFDocument } = await import("pdf-lib");
    const { pdflibAddPlaceholder } = await import("@signpdf/placeholder-pdf-lib");
    const pdfDoc = await PDFDocument.load(pdf);
    pdflibAddPlaceholder({ pdfDoc, ...about });
    return Buffer.from(await pdfDoc.save({ useObjectStreams: false }));
  },
};

async function signpdf(placeholder) {
  const { SignPdf } = await import("@signpdf/signpdf");
  const { P12Signer } = await import("@signpdf/signer-p12");
  return new SignPdf().sign(await placeholders[placeholder](), new P12Signer(p12, { passphrase: "bench" }));
}

const peers = {
  "signpdf-plain": () => signpdf("plain"),
  "signpdf-pdf-lib": () => signpdf("pdf-lib"),
  libpdf: async () => {
    const { PDF, P12Signer } = await import("@libpdf/core");
    const signer = await P12Signer.create(p12, "bench");
    return (await (await PDF.load(pdf)).sign({ signer })).bytes;
  },
};

await writeFile(to, await peers[peer]());
