"""How the command line words what went wrong."""

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
