"""Rules for text that people type: e-mail addresses, names, and how both are folded for search."""

import unicodedata
from typing import Annotated, Any

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

EMAIL_MAX = 254
"""Characters an address may have (RFC 3696 erratum 1690)."""
NAME_MAX = 255
# A self-hosted service may serve a network of its own, whose domains end in .local or .test.
SPECIAL_USE_DOMAIN_NAMES.clear()


def normal_email(text: str) -> str:
    """The one form in which an address is stored and compared.

    Trimmed, NFC, the domain in IDNA form; lower-cased, not case-folded: ``ß`` stays ``ß``.

    Raises:
        ValueError: it is not an address, or longer than ``EMAIL_MAX`` in that form.
    """
    text = text.strip()
    if not 3 <= len(text) <= 2 * EMAIL_MAX:
        raise ValueError(f"Must be an e-mail address of at most {EMAIL_MAX} characters.")
    lowered = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    try:
        parts = validate_email(lowered, check_deliverability=False)
    except (EmailNotValidError, UnicodeError):
        raise ValueError("Must be a valid e-mail address, such as ada@example.com.") from None
    address = f"{parts.local_part}@{parts.ascii_domain or parts.domain}"
    if len(address) > EMAIL_MAX:
        raise ValueError(f"Must be an e-mail address of at most {EMAIL_MAX} characters.")
    return address


def clean_line(limit: int, *, least: int = 1) -> AfterValidator:
    """One line of text, trimmed, of ``least`` to ``limit`` characters and no control characters."""

    def check(text: str) -> str:
        text = text.strip()
        refuse_controls(text)
        if not least <= len(text) <= limit:
            raise ValueError(f"Must have {least} to {limit} characters.")
        return text

    return AfterValidator(check)


def refuse_controls(text: str, *, besides: str = "") -> None:
    """Raises:
    ValueError: ``text`` holds a control character not in ``besides``, or half a surrogate pair.
    """
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in besides for c in text):
        raise ValueError("Must not contain control characters.")


def folded(text: str) -> str:
    """``text`` without case and accents, for search alike on every database."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    bare = unicodedata.normalize("NFKD", bare.casefold())  # 𝓐 decomposes into a capital
    return unicodedata.normalize("NFC", "".join(c for c in bare if not unicodedata.combining(c)))


def _digits(value: Any) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        return int(value)
    return value


Email = Annotated[
    str,
    AfterValidator(normal_email),
    WithJsonSchema({"type": "string", "format": "idn-email", "maxLength": EMAIL_MAX}),
]
Name = Annotated[
    str,
    clean_line(NAME_MAX),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": NAME_MAX}),
]
Number = Annotated[int, BeforeValidator(_digits)]
"""A whole number that may come as text, as in a query string: ASCII digits only."""
