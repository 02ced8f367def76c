"""The experiment of docs/interop.md: pyHanko's run of EN 319 102-1 (5.6.3) on B-LTA files in a
later year, as pyHanko is, and with one error of its told as what it is.

Arguments: the trusted root, a moment, and files.
"""

import asyncio
import sys
from datetime import datetime, timezone

import judge
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.ades import simulate_future_ades_lta_validation
from pyhanko_certvalidator.errors import InsufficientRevinfoError, StaleRevinfoError

plain = InsufficientRevinfoError.from_state


def stale(message, state, *rest):
    """A list that is too old is TRY_LATER, also when a list beside it cannot be used."""
    if "not recent enough" in message:
        return StaleRevinfoError.format(message, datetime.now(timezone.utc), state)
    return plain(message, state, *rest)


async def run(root, at, file):
    with open(file, "rb") as f:
        reader = PdfFileReader(f)
        for sig in reader.embedded_regular_signatures:
            got = await simulate_future_ades_lta_validation(sig, judge.spec(root), at)
            print(" ", file.rsplit("/", 1)[-1], sig.field_name, got.ades_subindic)


root = load_cert_from_pemder(sys.argv[1])
at = datetime.fromisoformat(sys.argv[2]).replace(tzinfo=timezone.utc)
for title, how in (("as it is", plain), ("told as stale", stale)):
    print(title)
    InsufficientRevinfoError.from_state = staticmethod(how)
    for file in sys.argv[3:]:
        asyncio.run(run(root, at, file))
