"""Files of people: NDJSON and CSV, read and written a record at a time."""

import csv
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Protocol

from service.commands.failures import fail
from service.core.parsing import Raw

LINE_MAX = 64 * 1024
PROFILE = ("avatar_url", "bio", "phone")
COLUMNS = (
    *("id", "external_id", "email", "name", "status", "email_verified", "roles"),
    *(*PROFILE, "created_at", "updated_at"),
)
_FORMULA = tuple("=+-@\t\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)."""


class Format(StrEnum):
    """How a file of people is written."""

    NDJSON = "ndjson"
    CSV = "csv"


def format_of(file: Path, given: str | None) -> Format:
    """Raises: click.ClickException, when neither the option nor the file's suffix tells."""
    name = given or {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}.get(
        file.suffix.lower()
    )
    if name is None:
        raise fail(f"{file}: is it NDJSON or CSV? Say --format ndjson or --format csv.")
    return Format(name)


class Reader(Protocol):
    """Records of a file with their lines; ``position`` is how many bytes have been read."""

    @property
    def position(self) -> int: ...

    def records(self) -> Iterator[tuple[int, Raw]]: ...

    def skip(self, position: int, line: int) -> None:
        """Go on after what ended there."""


class NdjsonReader:
    """One JSON object a line; a longer line than ``LINE_MAX`` bytes comes in parts, all refused."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._line = file, 0
        self.position = 0

    def skip(self, position: int, line: int) -> None:
        self._file.seek(position)
        self.position, self._line = position, line

    def records(self) -> Iterator[tuple[int, Raw]]:
        while line := self._file.readline(LINE_MAX):
            self.position += len(line)
            self._line += 1
            if self._line == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                yield self._line, line


class CsvReader:
    """A header and one person a record (RFC 4180); an empty cell is as good as absent."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._line, self._base = file, 0, 0
        self.position = 0
        self._columns = self._header()

    def skip(self, position: int, line: int) -> None:
        self._file.seek(position)
        self.position, self._base = position, line

    def records(self) -> Iterator[tuple[int, Raw]]:
        rows = csv.reader(self._lines(), strict=True)
        while True:
            begins = self._base + rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error:
                yield begins, {"csv": "broken"}
                continue
            if row:
                yield begins, self._person(row)

    def _header(self) -> list[str]:
        csv.field_size_limit(LINE_MAX)
        try:
            header = next(csv.reader(self._lines(), strict=True), [])
        except csv.Error:
            header = []
        self._base = 1
        columns = [name.strip().removeprefix("\ufeff") for name in header]
        if not {"email", "name"} <= set(columns) or len(set(columns)) < len(columns):
            raise fail(
                "The first line must name the columns, each once, email and name among them."
            )
        return columns

    def _lines(self) -> Iterator[str]:
        while line := self._file.readline(LINE_MAX):
            self.position += len(line)
            yield line.decode("utf-8", "surrogateescape")  # parsing refuses the halves

    def _person(self, row: list[str]) -> Raw:
        if len(row) > len(self._columns):
            return {"csv": "too many cells"}
        cells = {name: _unguarded(cell) for name, cell in zip(self._columns, row, strict=False)}
        person: dict[str, object] = {name: cell for name, cell in cells.items() if cell != ""}
        profile = {name: person.pop(name) for name in PROFILE if name in person}
        if profile:
            person["profile"] = profile
        if "roles" in person:
            person["roles"] = [role for role in str(person["roles"]).split(";") if role]
        if "email_verified" in person:
            told = str(person["email_verified"]).lower()
            person["email_verified"] = {"true": True, "1": True, "false": False, "0": False}.get(
                told, told
            )
        return person


def reader(file: IO[bytes], form: Format) -> Reader:
    return CsvReader(file) if form is Format.CSV else NdjsonReader(file)


class Writer:
    """Writes people as import reads them.

    In CSV an apostrophe stands before what a spreadsheet would take for a formula; import takes it
    away again.
    """

    def __init__(self, file: IO[str], form: Format, *, with_hashes: bool) -> None:
        self._file, self._form = file, form
        self._columns = (*COLUMNS, "password_hash") if with_hashes else COLUMNS
        self._rows = csv.writer(file, lineterminator="\n")
        if form is Format.CSV:
            self._rows.writerow(self._columns)

    def write(self, person: Mapping[str, Any]) -> None:
        if self._form is Format.NDJSON:
            self._file.write(json.dumps(person, ensure_ascii=False) + "\n")
            return
        flat = {**person, **person.get("profile", {}), "roles": ";".join(person["roles"])}
        flat["email_verified"] = "true" if person["email_verified"] else "false"
        self._rows.writerow([_guarded(str(flat.get(name) or "")) for name in self._columns])


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.lstrip("'").startswith(_FORMULA) else cell


def _unguarded(cell: str) -> str:
    is_guarded = cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA)
    return cell[1:] if is_guarded else cell
