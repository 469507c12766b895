"""How a new noun is called, in each of the forms that code and prose have for it."""

import ast
import builtins
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

LENGTH_MAX = 32
_FORM = re.compile(r"[a-z]{2,}(_[a-z]{2,})*")
_PYTHON = {*keyword.kwlist, *dir(builtins)}
_SQL = {
    *("databases", "groups", "indexes", "keys", "lines", "reads", "references", "rows", "schemas"),
    *("tables", "values"),
}
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
            if {name, _camel(name)} & _PYTHON:
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


SAMPLE = Names("zqnoun", "zqnouns")
"""A noun that nobody has: where it stands, another noun's name would."""


def taken(names: Names, root: Path) -> Iterator[str]:
    """What of the checkout at ``root`` has one of the names already, in words."""
    packages = [f"service/{names.noun}", f"service/{names.nouns}"]
    packages += [f"protos/arcana_protos/{names.noun}{end}" for end in ("", ".py")]
    for package in [*packages, f"protos/arcana/{names.noun}.proto"]:
        if (root / package).exists():
            yield f"{package} is there"
    for place, pattern in (
        ("service/*/models.py", r"class $Noun\(|table = \"$nouns\""),
        ("service/*/models.py", r"\"arcana\.User\",\s+related_name=\"$nouns\""),
        ("service/*/http.py", r"\"/$path[/\"]"),
        ("service/*/errors.py", r"\"${noun}_not_found\""),
    ):
        for path in sorted(root.glob(place)):
            if found := re.search(names.fill(pattern), path.read_text()):
                yield f"{path.relative_to(root)} has {' '.join(found[0].split())}"
    if (root / (test := f"tests/contract/test_{names.nouns}.py")).exists():
        yield f"{test} is there"


def clashes(names: Names, texts: Mapping[str, str]) -> Iterator[str]:
    """Which files would call two things by one name, in words.

    ``texts`` are the files, by path, as they would be for ``SAMPLE``: they tell which names come of
    the noun, and which stand there whatever it is called.
    """
    for path, text in texts.items():
        for found in _names_in(text) if path.endswith(".py") else (_words_of_proto(text),):
            of_noun = {name for name in found if SAMPLE.noun in name.lower()}
            if used := {_renamed(name, names) for name in of_noun} & (found - of_noun):
                yield f"{_renamed(path, names)} calls something else '{min(used, key=len)}'"


def _names_in(text: str) -> tuple[set[str], set[str], set[str]]:
    """What stands by itself in a Python file, what behind a dot, and what before a ``=``."""
    nodes = list(ast.walk(ast.parse(text)))
    others = (node for node in nodes if not isinstance(node, ast.alias))
    defined = {getattr(node, "name", None) or "" for node in others}
    aliases = [node for node in nodes if isinstance(node, ast.alias)]
    alone = {alias.asname or alias.name for alias in aliases} | defined
    alone |= {node.id for node in nodes if isinstance(node, ast.Name)}
    alone |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    reached = {node.attr for node in nodes if isinstance(node, ast.Attribute)} | defined
    return alone, reached, {str(node.arg) for node in nodes if isinstance(node, ast.keyword)}


def _words_of_proto(text: str) -> set[str]:
    """The parts of dotted names: what a package is called hides what begins with the same word."""
    return set(re.findall(r"\w+(?=\.)|(?<=\.)\w+", re.sub(r"//.*", "", text)))


def _renamed(text: str, names: Names) -> str:
    """What says ``SAMPLE``, for another noun."""
    for form in ("$nouns", "$Nouns", "$NOUNS", "$noun", "$Noun"):
        text = text.replace(SAMPLE.fill(form), names.fill(form))
    return text


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
