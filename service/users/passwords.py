"""Which passwords are good enough (NIST SP 800-63B §5.1.1.2)."""

import functools
import re
import unicodedata
from importlib import resources
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

PASSWORD_MIN = 8
"""Code points after NFC."""
PASSWORD_MAX = 1024
"""Bytes of UTF-8 after NFC; more is refused, never cut off."""


def normal_password(text: str) -> str:
    """A password as it is hashed: NFC, so that every keyboard types the same one."""
    return unicodedata.normalize("NFC", text)


def _acceptable(text: str) -> str:
    if any(unicodedata.category(c) == "Cs" for c in text):
        raise ValueError("Must be valid Unicode text.")
    password = normal_password(text)
    if len(password) < PASSWORD_MIN:
        raise ValueError(f"Must have at least {PASSWORD_MIN} characters.")
    if len(password.encode()) > PASSWORD_MAX:
        raise ValueError(f"Must have at most {PASSWORD_MAX} bytes in UTF-8.")
    if password.casefold() in common_passwords():
        raise ValueError("Is among the most common passwords. Choose another.")
    return password


def refuse_familiar(password: str, email: str, name: str) -> None:
    """Refuse a password that is the account's own e-mail or name, or one of them with a few digits.

    Raises:
        ValueError: it is.
    """
    bare = _letters(password)
    own = {_letters(part) for part in (email, email.partition("@")[0], name)}
    whole = {email.casefold(), email.partition("@")[0].casefold(), name.casefold()}
    if (len(bare) >= 3 and bare in own) or password.casefold() in whole:
        raise ValueError("The password must not be the account's own e-mail or name.")


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]+", "", text.casefold())


@functools.cache
def common_passwords() -> frozenset[str]:
    """The shipped deny list, case-folded; its entries are long enough to pass the other rules."""
    text = resources.files("service.users").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


Password = Annotated[
    str,
    AfterValidator(_acceptable),
    WithJsonSchema({"type": "string", "format": "password", "minLength": PASSWORD_MIN}),
]
