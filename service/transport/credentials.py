"""How callers show who they are: bearer tokens, read alike at both doors."""

import re
from collections.abc import Sequence

from service.core.errors import InvalidToken

_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE | re.ASCII)


def bearer_token(values: Sequence[str]) -> str | None:
    """The token in the values of ``Authorization``; None when the caller sent none.

    The scheme is read in any case, with one or more spaces after it, and the token is a token68
    (RFC 9110 §11.4, RFC 6750 §2.1).

    Raises:
        InvalidToken: there are several values, or the one is written otherwise.
    """
    if not values:
        return None
    match = _BEARER.fullmatch(values[0].strip(" \t"))
    if len(values) > 1 or match is None:
        raise InvalidToken
    return match[1]
