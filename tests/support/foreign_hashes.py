"""Password hashes that other programs made, as facts to hold ours against."""

import json
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).resolve().parents[1] / "data" / "vectors" / "foreign_hashes.json"


@dataclass(frozen=True)
class Known:
    """A hash in its maker's ``form``, and the password it was made of."""

    form: str
    made_by: str
    password: str
    encoded: str


KNOWN = [Known(**row) for row in json.loads(_FILE.read_text("utf-8"))["hashes"]]


def one_of_each_form() -> list[Known]:
    """For each form a cheap hash, of a password with letters of many scripts where there is one."""
    cheap = [known for known in KNOWN if not known.made_by.endswith("as it is")]
    first: dict[str, Known] = {}
    for known in sorted(cheap, key=lambda known: known.password.isascii()):
        first.setdefault(known.form, known)
    return list(first.values())
