"""Settings whose values stand in files: ``NAME_FILE`` holds the path of the value of ``NAME``."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from config.faults import Fault, Faults

SUFFIX = "_file"
LONGEST = 65_536
"""Bytes: far more than any value, and little enough to read of a wrong path such as a device."""


def with_files(
    given: dict[str, Any], variables: Mapping[str, Any], known: Collection[str]
) -> dict[str, Any]:
    """``given``, and for each of ``variables`` that names a file, the text in that file.

    Names are those of fields, in lower case; only ``known`` ones count.

    Raises:
        Faults: a file can't be read, holds nothing, or stands beside its setting.
    """
    read, wrong = dict(given), []
    for variable, path in sorted(variables.items()):
        name = variable.removesuffix(SUFFIX)
        if name == variable or name not in known or variable in known:
            continue
        try:
            read[name] = _text(Path(path))
        except Fault as fault:
            wrong.append((variable.upper(), str(fault)))
        if name in given:
            wrong.append((variable.upper(), f"stands beside {name.upper()}: set one of the two"))
    if wrong:
        raise Faults(wrong)
    return read


def _text(path: Path) -> str:
    """What the file holds, without the line end that editors and ``echo`` leave.

    Raises:
        Fault: it can't be read, or holds nothing of use.
    """
    try:
        with path.open("rb") as file:
            held = file.read(LONGEST + 1)
        text = held.decode().rstrip("\r\n")
    except OSError as error:
        raise Fault(f"that file can't be read ({error.strerror})") from None
    except ValueError:
        raise Fault("that file must hold text in UTF-8") from None
    if not text.strip() or len(held) > LONGEST or "\0" in text:
        raise Fault(f"that file must hold the value and nothing else, up to {LONGEST} bytes")
    return text
