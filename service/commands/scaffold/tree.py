"""Files of the checkout as they are to be: all is known before any of it is written."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


class NoPlace(Exception):
    """A file is not as it was thought to be, so nothing can be put into it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines to put into the file at ``path``.

    ``mark`` is how the line begins that they stand ``before`` or ``after``, or that opens the block
    ``into`` which they go, last before the line ``closing`` it.
    """

    path: str
    where: Literal["before", "after", "into"]
    mark: str
    text: str
    closing: str = ""

    def apply(self, lines: list[str]) -> None:
        """Raises: NoPlace."""
        at = self._find(lines, lambda line: line.startswith(self.mark))
        if self.where == "into":
            at = self._find(lines, lambda line: line == self.closing, at)
        elif self.where == "after":
            at += 1
        lines[at:at] = self.text.splitlines()

    def _find(self, lines: list[str], wanted: Callable[[str], bool], start: int = 0) -> int:
        for at in range(start, len(lines)):
            if wanted(lines[at]):
                return at
        behind = f" and behind it the line {self.closing!r}" if self.where == "into" else ""
        raise NoPlace(f"{self.path}: no line that begins with {self.mark!r}{behind}")


class Tree:
    """New and changed files under ``root``, by their paths."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.new: dict[str, str] = {}
        self.changed: dict[str, str] = {}
        self._before: dict[str, str] = {}
        self._folders: list[Path] = []

    def add(self, path: str, text: str) -> None:
        """Raises: NoPlace, when there is such a file already."""
        if (self._root / path).exists():
            raise NoPlace(f"{path} is there already")
        self.new[path] = text

    def edit(self, edit: Edit) -> None:
        """Raises: NoPlace."""
        if edit.path not in self._before:
            if not (self._root / edit.path).is_file():
                raise NoPlace(f"{edit.path} is not there")
            self._before[edit.path] = self.changed[edit.path] = self._read(edit.path)
        lines = self.changed[edit.path].splitlines()
        edit.apply(lines)
        self.changed[edit.path] = "\n".join([*lines, ""])

    def write(self) -> None:
        self._write({**self.new, **self.changed})

    def undo(self) -> None:
        """Bring back what was there before ``write``."""
        self._write(self._before)
        for path in self.new:
            (self._root / path).unlink(missing_ok=True)
        for folder in self._folders:
            shutil.rmtree(folder)  # what Python compiled may still be in it

    def _read(self, path: str) -> str:
        return (self._root / path).read_text(encoding="utf-8")

    def _write(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            file = self._root / path
            if not file.parent.exists():
                file.parent.mkdir()
                self._folders.append(file.parent)
            file.write_text(text, encoding="utf-8")
