"""The secret that development makes for itself and keeps."""

import os
import secrets
import tempfile
from pathlib import Path

SECRET_BYTES = 32
"""What HS256 needs at least (RFC 7518 §3.2)."""


class SecretUnavailable(Exception):
    """The file that keeps the secret is of no use; the text says how to mend it."""


def kept_secret(path: Path) -> str:
    """The secret in ``path``, made first if need be; only the file's owner can read it.

    Raises:
        SecretUnavailable: the file can't be made or read, or holds too little.
    """
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        return _read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise _unavailable(path, error) from None


def known_secret(path: Path) -> str:
    """The secret in ``path``, or one that is forgotten with the process; nothing is written.

    Raises:
        SecretUnavailable: there is a file, and it can't be read or holds too little.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        return secrets.token_urlsafe(SECRET_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise _unavailable(path, error) from None


def _make(path: Path) -> None:
    """Put a whole secret in place at once; of two processes doing so, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".jwt_secret-")  # 0600 from birth
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()


def _read(path: Path) -> str:
    secret = path.read_text("ascii").strip()
    if len(secret) < SECRET_BYTES:
        raise SecretUnavailable(f"{path} holds fewer than {SECRET_BYTES} bytes: delete that file")
    return secret


def _unavailable(path: Path, error: Exception) -> SecretUnavailable:
    why = error.strerror if isinstance(error, OSError) else "not a text in ASCII"
    return SecretUnavailable(f"can't be kept in {path} ({why}): set it, or mend that file")
