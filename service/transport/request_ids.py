"""The name of one request, in answers and in logs."""

import re
from collections.abc import Sequence

from service.core.ids import new_id

_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def request_id(given: Sequence[str]) -> str:
    """The caller's own id where it sent exactly one and a sane one, else a new one."""
    if len(given) == 1 and _SANE.fullmatch(given[0]):
        return given[0]
    return str(new_id())
