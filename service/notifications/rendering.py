"""Templates: the words of notifications, ours or those of whoever runs the service."""

import re
import traceback
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import (
    ChoiceLoader,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)
from jinja2.sandbox import SandboxedEnvironment

from service.notifications.kinds import KINDS, ChannelName, Kind

OURS = Path(__file__).with_name("templates")
LANGUAGE = "language.txt"
SHARED = (LANGUAGE, "layout.html", "signature.txt")
ENDINGS = {ChannelName.MAIL: (".txt", ".html"), ChannelName.INBOX: (".inbox.txt",)}
"""What the files of a kind are called by, for each of its channels."""
TITLE_MAX, BODY_MAX = 255, 2000
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")  # BCP 47, as far as it matters here


class BrokenTemplate(Exception):
    """A template can't be used; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says."""

    subject: str
    text: str
    html: str
    language: str


@dataclass(frozen=True, slots=True)
class Note:
    """What the inbox says."""

    title: str
    body: str


class Templates:
    """Renders what is said of each kind; a file in ``folder`` takes the place of ours of its name.

    Invariant: all of them have been rendered once, with facts of the shape that events have, so
    one that is broken is found before anybody waits for it.
    """

    def __init__(self, folder: Path | None, *, service: str, url: str) -> None:
        """``service`` and ``url`` are what the service is called and where people reach it.

        Raises:
            BrokenTemplate.
        """
        if folder is not None:
            _check_names(folder)
        folders = [OURS] if folder is None else [folder, OURS]
        loader = ChoiceLoader([FileSystemLoader(each) for each in folders])
        self._environment = SandboxedEnvironment(
            loader=loader,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(service=service, url=url)
        self._language = ""
        self._language = self._checked_language()
        self._environment.globals["language"] = self._language
        for kind in KINDS:
            for values in _samples(kind):
                self._try(kind, values)

    def letter(self, kind: Kind, values: Mapping[str, Any]) -> Letter:
        """The mail of a kind.

        Raises:
            BrokenTemplate: it demands what this event does not have.
        """
        subject, text = self._titled(f"{kind.name}.txt", values)
        html = self._render(f"{kind.name}.html", values)
        return Letter(subject, text, html, self._language)

    def note(self, kind: Kind, values: Mapping[str, Any]) -> Note:
        """The inbox's words of a kind, cut to what it holds.

        Raises:
            BrokenTemplate: as for ``letter``.
        """
        title, body = self._titled(f"{kind.name}.inbox.txt", values)
        return Note(_cut(title, TITLE_MAX), _cut(body, BODY_MAX))

    def _titled(self, name: str, values: Mapping[str, Any]) -> tuple[str, str]:
        """The first line, on one line whatever stands in it, and the rest."""
        first, _, rest = self._render(name, values).strip().partition("\n")
        title = one_line(first)
        if not title:
            raise BrokenTemplate(f"{name}: its first line must be the subject")
        return title, rest.strip()

    def _render(self, name: str, values: Mapping[str, Any]) -> str:
        try:
            return self._environment.get_template(name).render(values)
        except TemplateSyntaxError as error:
            where = f"{error.name or name}, line {error.lineno}"
            raise BrokenTemplate(f"{where}: {error.message}") from None
        except TemplateError as error:
            raise BrokenTemplate(f"{_place(name, error)}: {error.message}") from None
        except UnicodeDecodeError:
            raise BrokenTemplate(f"{name}: must be text in UTF-8") from None
        except Exception as error:  # noqa: BLE001  # a template may do what Python can
            raise BrokenTemplate(f"{_place(name, error)}: {type(error).__name__}") from None

    def _checked_language(self) -> str:
        language = self._render(LANGUAGE, {}).strip()
        if not _LANGUAGE.fullmatch(language):
            raise BrokenTemplate(f"{LANGUAGE}: must hold a language tag such as en or pt-BR")
        return language

    def _try(self, kind: Kind, values: Mapping[str, Any]) -> None:
        if ChannelName.MAIL in kind.channels:
            self.letter(kind, values)
        if ChannelName.INBOX in kind.channels:
            self.note(kind, values)


def _samples(kind: Kind) -> Iterator[dict[str, Any]]:
    """What each template is tried with: somebody whose name is shown, and somebody else's."""
    for name in ("Ada", ""):
        values: dict[str, Any] = {"name": name, "email": "ada@example.com"}
        if kind.event.startswith("order."):
            item = {"sku": "A-1", "name": "Lamp", "quantity": 2, "unit_price": "9.50"}
            values["order"] = SimpleNamespace(
                id="01a2141b-74d3-7096-a093-49b3ca50768b",
                status=kind.event.removeprefix("order."),
                currency="EUR",
                total="19.00",
                items=[item],
            )
        yield values


def _known() -> Sequence[str]:
    return [
        *SHARED,
        *(k.name + end for k in KINDS for channel in k.channels for end in ENDINGS[channel]),
    ]


def _check_names(folder: Path) -> None:
    """Refuse a file that takes no template's place: it is one misspelt.

    What begins with ``_`` is for others to include; what begins with a dot nobody reads.

    Raises:
        BrokenTemplate.
    """
    try:
        names = sorted(each.name for each in folder.iterdir() if each.is_file())
    except OSError as error:
        raise BrokenTemplate(f"that folder can't be read ({error.strerror})") from None
    for name in names:
        if name not in _known() and not name.startswith(("_", ".")):
            raise BrokenTemplate(f"{name} is the name of no template; begin it with _ to include")


def _place(name: str, error: Exception) -> str:
    """The template that was at work, which ``name`` may include, and the line that it was at."""
    frames = traceback.extract_tb(error.__traceback__)
    seen = [frame for frame in frames if frame.filename.endswith((".txt", ".html"))]
    return f"{Path(seen[-1].filename).name}, line {seen[-1].lineno}" if seen else name


def one_line(text: str) -> str:
    """``text`` without line ends and control characters of any script."""
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c) not in ("Cc", "Cs"))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
