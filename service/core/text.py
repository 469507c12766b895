"""Rules for text that people type: e-mail addresses, names, and how both are folded for search."""

import re
import unicodedata
from enum import StrEnum
from typing import Annotated, Any

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

EMAIL_MAX = 254
"""Characters an address may have (RFC 3696 erratum 1690)."""
NAME_MAX = 255
_BLANKS = r"\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What ``str.strip`` trims, for a regular expression of any language."""
_INTEGER = re.compile("-?[0-9]{1,99}")  # what is out of bounds is for the bounds to refuse
_CONTROLS = r"\u0000-\u001f\u007f-\u009f"
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


def line_schema(limit: int, *, least: int = 1) -> WithJsonSchema:
    """What ``clean_line`` takes, in the words of JSON Schema.

    The pattern bounds the length, because blanks around the text do not count.
    """
    end, inside = f"[^{_CONTROLS}{_BLANKS}]", f"[^{_CONTROLS}]"
    text = f"{end}({inside}{{0,{limit - 2}}}{end})?"
    pattern = f"^[{_BLANKS}]*({text}){'' if least else '?'}[{_BLANKS}]*$"
    told = f"One line of {least} to {limit} characters, without the blanks around it."
    return WithJsonSchema({"type": "string", "pattern": pattern, "description": told})


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


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _digits(value: Any) -> Any:
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value


def one_of(words: type[StrEnum]) -> BeforeValidator:
    """A word of ``words``, which comes as text; whoever sends another is told all of them."""
    known = {word.value: word for word in words}

    def check(value: Any) -> Any:
        found = known.get(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError(f"Must be one of {', '.join(known)}.")
        return found

    return BeforeValidator(check)


Email = Annotated[
    str,
    AfterValidator(normal_email),
    WithJsonSchema({"type": "string", "format": "idn-email", "maxLength": EMAIL_MAX}),
]
Name = Annotated[
    str,
    clean_line(NAME_MAX),
    line_schema(NAME_MAX),
]
Number = Annotated[int, BeforeValidator(_digits)]
"""A whole number that may come as text, as in a query string: ASCII digits, and a minus."""
Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number, which JSON may write as ``27.0``: JSON Schema counts that as an integer."""
Flag = Annotated[bool, BeforeValidator(lambda text: {"true": True, "false": False}.get(text, text))]
"""Yes or no, which may come as ``true`` or ``false``, as in a query string."""
