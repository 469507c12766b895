"""What is wrong with a setting, told by its name and mend and never by its value."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ValidationError


class Fault(ValueError):
    """A value breaks a rule; the text completes "NAME: …" and never repeats the value."""


class Faults(ValueError):
    """Settings that are good alone and not together, as pairs of name and mend."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs
        super().__init__("the settings don't fit together")


def lines(error: ValidationError, model: type[BaseModel], missing: Mapping[str, str]) -> list[str]:
    """One line for each setting at fault, in the order of ``model``; ``missing`` adds mends.

    Only our own texts are used: pydantic's may quote the value.
    """
    found: dict[str, str] = {}
    for name, text in _pairs(error, model, missing):
        found.setdefault(name, f"{name}: {text}")
    return list(found.values())


def _pairs(
    error: ValidationError, model: type[BaseModel], missing: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for fault in error.errors(include_url=False, include_input=False):
        cause = fault.get("ctx", {}).get("error")
        if isinstance(cause, Faults):
            yield from cause.pairs
            continue
        if fault["type"] == "default_factory_not_called":
            continue  # a default that would have been read off another field, at fault itself
        field = str(fault["loc"][0]) if fault["loc"] else ""
        name, known = field.upper(), model.model_fields.get(field)
        if fault["type"] == "missing":
            yield name, f"must be set. {missing.get(name, '')}".rstrip()
        elif isinstance(cause, Fault):
            yield name, str(cause)
        else:
            yield name, f"must be {known.description if known else 'valid'}"
