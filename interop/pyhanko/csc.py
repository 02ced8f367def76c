"""Signs with pyHanko's own client of the CSC API, and lets pyHanko judge what came of it.
The order is one JSON object: service, token, root, tsa, plain, folder, and jobs, each with a
name, a credential, how many files at once, and whether with RSASSA-PSS. One JSON line
{"name", "file", "error"} for each file.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path

import aiohttp
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers.csc_signer import (
    CSCAuthorizationManager,
    CSCServiceSessionInfo,
    CSCSigner,
    fetch_certs_in_csc_credential,
)
from pyhanko.sign.timestamps import HTTPTimeStamper
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

logging.disable(logging.CRITICAL)
order = json.load(sys.stdin)
root = load_cert_from_pemder(order["root"])


class Authorize(CSCAuthorizationManager):
    """Asks for one SAD, bound to the hashes of the batch."""

    session = None

    async def authorize_signature(self, hash_b64s):
        request = self.format_csc_auth_request(hash_b64s=hash_b64s, client_data="interop")
        url = self.csc_session_info.endpoint_url("credentials/authorize")
        async with self.session.post(url, headers=self.auth_headers, json=request, raise_for_status=True) as response:
            return self.parse_csc_auth_response(await response.json())


async def judged(path):
    with open(path, "rb") as f:
        found = PdfFileReader(f).embedded_regular_signatures
        if len(found) != 1:
            return f"{len(found)} signatures, not 1"
        trust = ValidationContext(trust_roots=[root], allow_fetching=True, revocation_mode="hard-fail")
        status = await async_validate_pdf_signature(found[0], trust, ts_validation_context=trust)
        return "" if status.bottom_line else status.summary()


async def run(session, job):
    service = CSCServiceSessionInfo(order["service"], job["credential"], oauth_token=order["token"])
    info = await fetch_certs_in_csc_credential(session, service)
    manager = Authorize(service, info)
    manager.session = session
    signer = CSCSigner(session, manager, prefer_pss=job["pss"], batch_size=job["count"])

    async def one(n):
        path = Path(order["folder"]) / f"csc-{job['name']}-{n}.pdf"
        meta = PdfSignatureMetadata(field_name="Signature1", subfilter=SigSeedSubFilter.PADES, md_algorithm="sha256", reason=f"{job['name']} {n}")
        with open(order["plain"], "rb") as f:
            out = await PdfSigner(meta, signer=signer, timestamper=HTTPTimeStamper(order["tsa"])).async_sign_pdf(IncrementalPdfFileWriter(f))
        path.write_bytes(out.getvalue())
        return path

    for path in await asyncio.gather(*(one(n + 1) for n in range(job["count"]))):
        print(json.dumps({"name": path.stem, "file": str(path), "error": await judged(path)}), flush=True)


async def main():
    async with aiohttp.ClientSession() as session:
        for job in order["jobs"]:
            await run(session, job)


asyncio.run(main())
