"""Signs files with pyHanko, and extends given ones, for our verifier to judge: one JSON line
{"name", "file", "level", "count"} for each."""

import asyncio
import json
import sys
from io import BytesIO
from pathlib import Path

from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.generic import pdf_name, pdf_string
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import PdfSignatureMetadata, PdfSigner, PdfTimeStamper, SimpleSigner
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.timestamps import HTTPTimeStamper
from pyhanko.sign.validation import async_add_validation_info
from pyhanko_certvalidator import ValidationContext

order = json.load(sys.stdin)
folder = Path(order["folder"])
root = load_cert_from_pemder(order["root"])
clock = HTTPTimeStamper(order["tsa"])
ada, bob = (
    SimpleSigner.load(f"{order['keys']}/{who}.key", f"{order['keys']}/{who}.pem", ca_chain_files=[order["chain"]])
    for who in ("ada", "bob")
)


def trust():
    return ValidationContext(trust_roots=[root], allow_fetching=True, revocation_mode="hard-fail")


async def sign(source, name, level, signer=ada, certify=None, **more):
    meta = PdfSignatureMetadata(
        field_name=name, subfilter=SigSeedSubFilter.PADES, md_algorithm="sha256",
        validation_context=trust() if "L" in level else None,
        embed_validation_info="L" in level, use_pades_lta=level == "B-LTA",
        certify=certify is not None, docmdp_permissions=certify or MDPPerm.FILL_FORMS, **more,
    )
    with open(source, "rb") as f:
        writer = IncrementalPdfFileWriter(f)
        out = await PdfSigner(meta, signer=signer, timestamper=clock if level != "B-B" else None).async_sign_pdf(writer)
        return out.getvalue()


def put(name, data, level, signatures=1):
    path = folder / f"{name}.pdf"
    path.write_bytes(data)
    print(json.dumps({"name": name, "file": str(path), "level": level, "count": signatures}), flush=True)
    return path


def fill(source, field, value):
    """Writes a text into a form field, as a reader of a certified form does."""
    with open(source, "rb") as f:
        writer = IncrementalPdfFileWriter(f)
        for ref in writer.root["/AcroForm"]["/Fields"]:
            if ref.get_object().get("/T") == field:
                ref.get_object()[pdf_name("/V")] = pdf_string(value)
                writer.mark_update(ref.reference if hasattr(ref, "reference") else ref)
        out = BytesIO()
        writer.write(out)
        return out.getvalue()


async def extend(source, level):
    """Adds validation info for each signature, and a document timestamp."""
    data = Path(source).read_bytes()
    out = BytesIO(data)
    for sig in PdfFileReader(BytesIO(data)).embedded_regular_signatures:
        await async_add_validation_info(sig, trust(), output=out, in_place=False)
    if level == "B-LTA":
        writer = IncrementalPdfFileWriter(BytesIO(out.getvalue()))
        out = await PdfTimeStamper(clock).async_timestamp_pdf(writer, "sha256", trust())
    return out.getvalue()


async def main():
    for level in ("B-B", "B-T", "B-LT", "B-LTA"):
        put(f"pyhanko-{level}", await sign(order["plain"], "Signature1", level), level)
    certified = put("pyhanko-certified", await sign(order["form"], "Certified", "B-T", certify=MDPPerm.FILL_FORMS), "B-T")
    filled = put("pyhanko-certified-filled", fill(certified, "Amount", "250"), "B-T")
    put("pyhanko-certified-filled-signed", await sign(filled, "Approval", "B-T", signer=bob), "B-T", 2)
    for level in ("B-LT", "B-LTA"):
        for what in ("ours", "lists"):
            put(f"pyhanko-extends-{what}-{level}", await extend(order[what], level), level)


asyncio.run(main())
