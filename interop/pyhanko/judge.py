"""Judges signed files with pyHanko: one JSON line a file, see judge.go for its form.
Argument: the trusted root. Each line of the input is a file, a word for another judge, and a
moment to judge at or nothing.

No network. Each signature gets the highest level that pyHanko itself confirms: B-T with a
good timestamp, B-LT when revocation of every certificate is proven from the security store
alone, B-LTA when a document timestamp covers that and the run of EN 319 102-1 (5.6.3) passes.
Difference analysis is on.
"""

import asyncio
import json
import logging
import sys
from datetime import datetime

from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.diff_analysis import DiffResult
from pyhanko.sign.validation import (
    DocumentSecurityStore,
    DocumentTimestampStatus,
    SignatureCoverageLevel,
    async_validate_pdf_signature,
    async_validate_pdf_timestamp,
)
from pyhanko.sign.validation.ades import (
    ades_lta_validation,
    simulate_future_ades_lta_validation,
)
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

logging.disable(logging.CRITICAL)


def spec(root):
    """The ETSI run's policy: revocation of each certificate, from the file alone."""
    return PdfSignatureValidationSpec(
        SignatureValidationSpec(
            cert_validation_policy=CertValidationPolicySpec(
                trust_manager=SimpleTrustManager.build(trust_roots=[root]),
                revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
            ),
            revinfo_gathering_policy=RevocationInfoGatheringSpec(
                RevinfoOnlineFetchingRule.LOCAL_ONLY
            ),
        )
    )


def lacking(status):
    """Why a status is not good; empty when it is."""
    if isinstance(status, DocumentTimestampStatus):
        good = status.valid and status.intact and status.trusted
        good = good and status.coverage >= SignatureCoverageLevel.ENTIRE_REVISION
        good = good and isinstance(status.diff_result, (type(None), DiffResult))
    else:
        good = status.bottom_line
    return "" if good else status.summary()


def from_store(reader, root):
    try:
        store = DocumentSecurityStore.read_dss(reader)
    except Exception:
        return None
    return store.as_validation_context(
        {"trust_roots": [root], "allow_fetching": False, "revocation_mode": "hard-fail"}
    )


async def judge(sig, reader, root, at):
    plain = ValidationContext(
        trust_roots=[root], allow_fetching=False, revocation_mode="soft-fail"
    )
    if sig.sig_object_type == "/DocTimeStamp":
        why = lacking(await async_validate_pdf_timestamp(sig, plain))
        return {"kind": "timestamp", "level": "", "why": why}
    status = await async_validate_pdf_signature(sig, plain)
    out = {"kind": "signature", "level": "", "why": lacking(status)}
    if out["why"]:
        return out
    out["level"] = "B-B"
    if status.timestamp_validity is None:
        return out
    out["level"] = "B-T"
    store = from_store(reader, root)
    if store is None:
        return out
    try:
        status = await async_validate_pdf_signature(sig, store)
        out["next"] = lacking(status)
    except Exception as e:
        out["next"] = repr(e)
    if out["next"]:
        return out
    out["level"] = "B-LT"
    later = [t for t in reader.embedded_timestamp_signatures if t.signed_revision > sig.signed_revision]
    for stamp in later:
        if why := lacking(await async_validate_pdf_timestamp(stamp, plain)):
            out["next"] = why
            return out
    if later:
        if at:
            ran = await simulate_future_ades_lta_validation(sig, spec(root), at)
        else:
            ran = await ades_lta_validation(sig, spec(root))
        if ran.ades_subindic == AdESPassed.OK:
            out["level"] = "B-LTA"
        else:
            out["next"] = f"{ran.ades_subindic}: {ran.failure_msg}"
    return out


async def judge_file(file, at, root):
    out = {"file": file, "signatures": []}
    try:
        with open(file, "rb") as f:
            reader = PdfFileReader(f, strict=True)
            if reader.encrypted:
                reader.decrypt(b"")
            for sig in reader.embedded_signatures:
                got = {"field": sig.field_name}
                try:
                    got |= await judge(sig, reader, root, at)
                except Exception as e:
                    got |= {"kind": "signature", "level": "", "why": repr(e)}
                out["signatures"].append(got)
    except Exception as e:
        out["error"] = repr(e)
    return out


def main():
    root = load_cert_from_pemder(sys.argv[1])
    for line in sys.stdin:
        file, _, at = line.rstrip("\n").split("\t")
        at = datetime.fromisoformat(at) if at else None
        print(json.dumps(asyncio.run(judge_file(file, at, root))), flush=True)


if __name__ == "__main__":
    main()
