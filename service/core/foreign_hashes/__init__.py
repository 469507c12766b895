"""Password hashes that other systems made: which are known, and what one costs at most."""

from service.core.foreign_hashes.forms import check_foreign, firebase_text, read_foreign
from service.core.foreign_hashes.recipes import (
    Argon2,
    Bcrypt,
    Firebase,
    Pbkdf2,
    Recipe,
    Scrypt,
    Wrapping,
)

__all__ = [
    "Argon2",
    "Bcrypt",
    "Firebase",
    "Pbkdf2",
    "Recipe",
    "Scrypt",
    "Wrapping",
    "check_foreign",
    "firebase_text",
    "read_foreign",
]
