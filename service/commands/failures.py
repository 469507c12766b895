"""How the command line words what went wrong."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import click

from service.core.errors import Invalid, Refusal


def one_line(refusal: Refusal) -> str:
    """A refusal in one line, with the fields that are to blame."""
    if isinstance(refusal, Invalid) and refusal.fields:
        return "; ".join(f"{name}: {' '.join(texts)}" for name, texts in refusal.fields.items())
    return refusal.text


def fail(text: str) -> click.ClickException:
    """A failure to raise: one line on standard error, exit code 1."""
    return click.ClickException(text)


_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What a write may end with, which then names no file."""


@contextmanager
def files_of_ours() -> Iterator[None]:
    """Around work with files that the command line names.

    Raises:
        click.ClickException: one of them can't be opened, read, written or replaced.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno not in _DISK:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        raise fail(f"{where}{error.strerror}.") from None
