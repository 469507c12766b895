"""The texts in which other systems write password hashes.

argon2     $argon2id$v=19$m=…,t=…,p=…$salt$hash, argon2i, argon2d; Django's argon2$argon2id$…
bcrypt     $2a$12$…, $2b$…, $2y$…; Django's bcrypt$$2b$… and bcrypt_sha256$$2b$…;
           passlib's $bcrypt-sha256$v=2,t=2b,r=12$salt$hash and $bcrypt-sha256$2b,12$salt$hash
scrypt     passlib's $scrypt$ln=…,r=…,p=…$salt$hash; Django's scrypt$N$salt$r$p$hash;
           Werkzeug's scrypt:N:r:p$salt$hash
PBKDF2     with SHA-1, SHA-256 or SHA-512: Django's pbkdf2_sha256$iterations$salt$hash;
           passlib's $pbkdf2-sha256$rounds$salt$hash; Werkzeug's pbkdf2:sha256:rounds$salt$hash
Firebase   $firebase-scrypt$ln=<mem_cost>,r=<rounds>,signer=…,sep=…$salt$hash (ours)
"""

import re
from dataclasses import dataclass
from re import Pattern

from service.core.foreign_hashes import readers
from service.core.foreign_hashes.encodings import from_base64, from_hex
from service.core.foreign_hashes.readers import Reader, power_of_two
from service.core.foreign_hashes.recipes import PBKDF2_DIGESTS, Recipe, Wrapping

TEXT_MAX = 1024
"""Characters. The longest hash within the bounds has fewer than half as many."""


def check_foreign(encoded: str) -> str:
    """The text to store for a hash that another system made.

    Raises:
        ValueError: it is of no known kind, damaged, or too costly. The reason names the bound and
            never repeats the hash.
    """
    return read_foreign(encoded.strip()).stored


def read_foreign(encoded: str) -> Recipe:
    """How a password is compared with ``encoded``.

    Raises:
        ValueError: as ``check_foreign``.
    """
    if len(encoded) > TEXT_MAX:
        raise ValueError(f"A password hash must have at most {TEXT_MAX} characters.")
    if encoded.startswith("!"):
        raise ValueError("Django's mark of an unusable password: leave the password hash out.")
    for form in _FORMS:
        if encoded.startswith(form.starts):
            return form.read_whole(encoded)
    raise ValueError(
        "Not a known password hash. Known are argon2, bcrypt, scrypt and PBKDF2 as Django, passlib"
        " and Werkzeug write them, and Firebase scrypt."
    )


def firebase_text(
    password_hash: str,
    salt: str,
    *,
    signer_key: str,
    salt_separator: str,
    rounds: int,
    mem_cost: int,
) -> str:
    """One text for ``check_foreign``, of a user's fields and the parameters of their project.

    Hash, salt, key and separator come in base 64, standard or URL-safe, as Firebase writes them.
    """
    options = f"ln={mem_cost},r={rounds},signer={signer_key},sep={salt_separator}"
    return f"$firebase-scrypt${options}${salt}${password_hash}"


@dataclass(frozen=True, slots=True)
class _Form:
    """One way of writing: known by how it ``starts``, whole when ``pattern`` fits all of it."""

    name: str
    starts: str | tuple[str, ...]
    pattern: Pattern[str]
    read: Reader

    def read_whole(self, encoded: str) -> Recipe:
        """Raises: ValueError."""
        found = self.pattern.fullmatch(encoded)
        if found is None:
            raise ValueError(f"Not a whole {self.name} hash: damaged, or of an unknown version.")
        return self.read(found)


def _number(name: str) -> str:
    return rf"(?P<{name}>0|[1-9][0-9]{{0,19}})"


def _base64(name: str) -> str:
    return rf"(?P<{name}>[A-Za-z0-9+/._-]*={{0,2}})"


_ARGON2 = (
    r"(?:argon2)?(?P<phc>\$argon2(?:id|i|d)(?:\$v=(?:16|19))?"
    rf"\$m={_number('m')},t={_number('t')},p={_number('p')}"
    r"\$(?P<salt>[A-Za-z0-9+/]*)\$(?P<digest>[A-Za-z0-9+/]*))"  # the one dialect argon2 reads
)
_BCRYPT_SALT, _BCRYPT_DIGEST = r"(?P<salt>[./A-Za-z0-9]{22})", r"(?P<digest>[./A-Za-z0-9]{31})"
_BCRYPT = rf"\$2[aby]\$(?P<cost>[0-9]{{2}})\${_BCRYPT_SALT}(?P<between>){_BCRYPT_DIGEST}"
_BCRYPT_APART = rf"\${_BCRYPT_SALT}(?P<between>\$){_BCRYPT_DIGEST}"
_COST = "(?P<cost>[0-9]{1,2})"
_FUNCTION = f"(?P<function>{'|'.join(PBKDF2_DIGESTS)})"
_N, _R, _P, _ROUNDS = (_number(name) for name in ("n", "r", "p", "rounds"))
_IN_BASE64 = rf"\${_base64('salt')}\${_base64('digest')}"
_SALT_TEXT = "(?P<salt>[!-#%-~]*)"  # printable ASCII without the dollar sign
_IN_HEX = rf"\${_SALT_TEXT}\$(?P<digest>[0-9a-f]*)"
_FIREBASE = (
    rf"\$firebase-scrypt\$ln={_N},r={_R}(?:,signer={_base64('signer')})?"
    rf",sep={_base64('separator')}{_IN_BASE64}"
)

_FORMS = [
    _Form(name, starts, re.compile(pattern), read)
    for name, starts, pattern, read in (
        ("argon2", ("$argon2", "argon2$"), _ARGON2, readers.argon2),
        ("bcrypt", "$2", _BCRYPT, readers.bcrypt(Wrapping.NONE)),
        ("bcrypt", "bcrypt$", rf"bcrypt\${_BCRYPT}", readers.bcrypt(Wrapping.NONE)),
        (
            "bcrypt",
            "bcrypt_sha256$",
            rf"bcrypt_sha256\${_BCRYPT}",
            readers.bcrypt(Wrapping.SHA256_HEX),
        ),
        (
            "bcrypt",
            "$bcrypt-sha256$v=",
            rf"\$bcrypt-sha256\$v=2,t=2[aby],r={_COST}{_BCRYPT_APART}",
            readers.bcrypt(Wrapping.HMAC_BASE64),
        ),
        (
            "bcrypt",
            "$bcrypt-sha256$",
            rf"\$bcrypt-sha256\$2[aby],{_COST}{_BCRYPT_APART}",
            readers.bcrypt(Wrapping.SHA256_BASE64),
        ),
        (
            "scrypt",
            "$scrypt$",
            rf"\$scrypt\$ln={_N},r={_R},p={_P}{_IN_BASE64}",
            readers.scrypt(power_of_two, salt=from_base64, digest=from_base64),
        ),
        (
            "scrypt",
            "scrypt$",
            rf"scrypt\${_N}\${_SALT_TEXT}\${_R}\${_P}\${_base64('digest')}",
            readers.scrypt(int, salt=str.encode, digest=from_base64),
        ),
        (
            "scrypt",
            "scrypt:",
            rf"scrypt:{_N}:{_R}:{_P}{_IN_HEX}",
            readers.scrypt(int, salt=str.encode, digest=from_hex),
        ),
        (
            "PBKDF2",
            "pbkdf2_",
            rf"pbkdf2_{_FUNCTION}\${_ROUNDS}\${_SALT_TEXT}\${_base64('digest')}",
            readers.pbkdf2(salt=str.encode, digest=from_base64),
        ),
        (
            "PBKDF2",
            "$pbkdf2",
            rf"\$pbkdf2(?:-{_FUNCTION})?\${_ROUNDS}{_IN_BASE64}",
            readers.pbkdf2(salt=from_base64, digest=from_base64),
        ),
        (
            "PBKDF2",
            "pbkdf2:",
            rf"pbkdf2:{_FUNCTION}:{_ROUNDS}{_IN_HEX}",
            readers.pbkdf2(salt=str.encode, digest=from_hex),
        ),
        (
            "Firebase",
            "$firebase-scrypt$",
            _FIREBASE,
            readers.firebase,
        ),
    )
]
