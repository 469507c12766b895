"""How a new noun is called, in each of the forms that code and prose have for it."""

import ast
import builtins
import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

LENGTH_MAX = 32
_FORM = re.compile(r"[a-z]{2,}(_[a-z]{2,})*")
_SQL = {"databases", "groups", "indexes", "keys", "lines", "rows", "schemas", "tables", "values"}
"""Plurals that some database would read as a word of its own."""


class BadName(Exception):
    """It can't be a noun's name; the text says why, and what can."""


@dataclass(frozen=True, slots=True)
class Names:
    """A noun, ``purchase_order``, and what many of it are called, ``purchase_orders``."""

    noun: str
    nouns: str

    @classmethod
    def of(cls, noun: str, plural: str | None = None) -> "Names":
        """Raises: BadName."""
        names = cls(noun, plural or plural_of(noun))
        for name in (names.noun, names.nouns):
            if not _FORM.fullmatch(name) or len(name) > LENGTH_MAX:
                raise BadName(
                    f"'{name}' is not lower-case words of two letters and more, joined by _ and"
                    f" {LENGTH_MAX} characters at most, such as purchase_order."
                )
            if keyword.iskeyword(name) or name in dir(builtins):
                raise BadName(f"'{name}' is a word of Python.")
        if names.nouns in _SQL:
            raise BadName(f"'{names.nouns}' is a word of SQL; name another with --plural.")
        if names.noun == names.nouns:
            raise BadName(f"One is called as many are: '{noun}'; name another with --plural.")
        return names

    def fill(self, text: str) -> str:
        """``text`` with this noun's forms for ``$noun``, ``$Nouns`` and the others."""
        one, many = (name.replace("_", " ") for name in (self.noun, self.nouns))
        return Template(text).substitute(
            noun=self.noun,
            nouns=self.nouns,
            Noun=_camel(self.noun),
            Nouns=_camel(self.nouns),
            NOUNS=self.nouns.upper(),
            path=self.nouns.replace("_", "-"),
            single=one,
            Single=one.capitalize(),
            a_single=f"{'an' if one[0] in 'aeiou' else 'a'} {one}",
            many=many,
            Many=many.capitalize(),
        )


def plural_of(noun: str) -> str:
    """By the rules of English, which knows exceptions."""
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if re.search(r"(s|x|z|ch|sh)$", noun) else f"{noun}s"


def taken(names: Names, root: Path, shared: Iterable[str]) -> Iterator[str]:
    """What of the checkout at ``root`` has one of the names already, in words.

    ``shared`` are the Python files in which the names will stand beside others.
    """
    packages = [f"service/{names.noun}", f"service/{names.nouns}"]
    packages += [f"protos/arcana_protos/{names.noun}{end}" for end in ("", ".py")]
    for package in [*packages, f"protos/arcana/{names.noun}.proto"]:
        if (root / package).exists():
            yield f"{package} is there"
    for place, pattern in (
        ("service/*/models.py", r"class $Noun\(|table = \"$nouns\""),
        ("service/*/http.py", r"\"/$path[/\"]"),
        ("service/*/errors.py", r"\"${noun}_not_found\""),
    ):
        for path in sorted(root.glob(place)):
            if found := re.search(names.fill(pattern), path.read_text()):
                yield f"{path.relative_to(root)} has {found[0]}"
    for name in shared:
        if used := {names.noun, names.nouns} & _names_in(root / name):
            yield f"{name} calls something else '{min(used)}'"


def _names_in(path: Path) -> set[str]:
    kinds = ("id", "arg", "attr", "name", "asname")
    nodes = list(ast.walk(ast.parse(path.read_text())))
    return {str(getattr(node, kind, "")) for node in nodes for kind in kinds}


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
