"""manage.py user import and export: many people, from and into files."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, NoReturn

import click
from tqdm import tqdm

from service.app import Services
from service.commands.failures import fail, files_of_ours, one_line
from service.commands.records import Format, Reader, Writer, format_of, reader
from service.commands.work import services_at_work
from service.core.access import SYSTEM
from service.core.errors import Refusal
from service.core.parsing import Raw
from service.users.importing import Found, MatchBy, Outcome
from service.users.models import UserStatus

BATCH = 1_000
MANY = 10_000
_FORMATS = click.Choice([form.value for form in Format])


@dataclass
class Progress:
    """How far an import has come; it is kept beside the file after each batch."""

    size: int
    options: list[str]
    position: int = 0
    line: int = 0
    imported: int = 0
    updated: int = 0
    already_there: int = 0
    refused: int = 0

    def count(self, outcome: Outcome) -> None:
        if outcome is None:
            self.imported += 1
        elif outcome is Found.UPDATED:
            self.updated += 1
        elif outcome is Found.LEFT_ALONE:
            self.already_there += 1
        else:
            self.refused += 1

    def save(self, path: Path) -> None:
        """Replace the file whole, so that a crash leaves the one or the other."""
        new = path.with_name(f"{path.name}.new")
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(path)

    def resumed(self, path: Path) -> "Progress":
        """Raises: click.ClickException, when there is nothing to go on with."""
        try:
            before = Progress(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise fail(f"There is no {path} to go on from; start without --resume.") from None
        except (ValueError, TypeError):
            raise fail(f"{path} is damaged; start without --resume.") from None
        if (before.size, before.options) != (self.size, self.options):
            raise fail(f"{path} is of another file or other options; start without --resume.")
        return before


@dataclass
class Job:
    """One run of an import."""

    file: Path
    form: Format
    match: MatchBy
    update: bool = False
    with_roles: bool = False
    dry_run: bool = False
    report: Path | None = None
    resume: bool = False
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def state(self) -> Path:
        return self.file.with_name(f"{self.file.name}.import-state")

    def start(self) -> Progress:
        options = [self.form.value, self.match.value, str(self.update), str(self.with_roles)]
        progress = Progress(self.file.stat().st_size, options)
        return progress.resumed(self.state) if self.resume else progress


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "given", type=_FORMATS, help="By the file's suffix when not given.")
@click.option(
    "--match",
    type=click.Choice([by.value for by in MatchBy]),
    default=MatchBy.EMAIL.value,
    show_default=True,
    help="What tells that a person is there already.",
)
@click.option("--update", is_flag=True, help="Bring who is there up to date, not leave them alone.")
@click.option("--with-roles", is_flag=True, help="Take the roles in the file too.")
@click.option("--dry-run", is_flag=True, help="Check every line, and write nothing.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write refused lines with their reasons here (NDJSON), not to standard error.",
)
@click.option("--resume", is_flag=True, help="Go on where an interrupted import of FILE stopped.")
def import_(file: Path, given: str | None, match: str, **options: bool) -> None:
    """Import people from FILE, NDJSON or CSV.

    A record holds name, email and, if wanted, status, email_verified, password_hash, external_id,
    created_at, profile and roles; in CSV avatar_url, bio and phone are columns, and roles stand in
    one cell with ';' between them. People without a hash can't log in until a reset. Who is there
    already is left alone. Refused lines do not hold up the others; the exit code is 1 when there
    were any. How far it came stands in FILE.import-state until it is done.
    """
    job = Job(file, format_of(file, given), MatchBy(match), **options)  # type: ignore[arg-type]
    with files_of_ours():
        if job.report and job.report.exists() and job.report.samefile(file):
            raise fail(f"{job.report} is the file to import; name another for --report.")
        done = asyncio.run(_import(job))
    verb = "Would import" if job.dry_run else "Imported"
    click.echo(
        f"{verb} {done.imported} people, updated {done.updated},"
        f" already there {done.already_there}, refused {done.refused} lines."
    )
    for reason, count in job.reasons.most_common(20):
        click.echo(f"  {count:>8} × {reason}")
    if done.refused:
        raise SystemExit(1)


async def _import(job: Job) -> Progress:
    progress = job.start()
    async with services_at_work() as services:
        await services.imports.prepare(SYSTEM)
        with _opened(job, progress) as (source, report, bar):
            records = source.records()
            while batch := list(islice(records, BATCH)):
                outcomes = await _take(services, job, [record for _, record in batch])
                for (line, _), outcome in zip(batch, outcomes, strict=True):
                    progress.count(outcome)
                    if isinstance(outcome, Refusal):
                        _tell(job, report, line, one_line(outcome))
                progress.line = batch[-1][0]
                bar.update(source.position - progress.position)
                progress.position = source.position
                bar.set_postfix_str(_rate(progress, bar))
                if not job.dry_run:
                    if report:
                        report.flush()
                    progress.save(job.state)
        if progress.imported > MANY and not job.dry_run:
            await services.imports.finish(SYSTEM)
    if not job.dry_run:
        job.state.unlink(missing_ok=True)
    return progress


async def _take(services: Services, job: Job, records: Sequence[Raw]) -> Sequence[Outcome]:
    return await services.imports.import_batch(
        SYSTEM,
        records,
        with_roles=job.with_roles,
        match=job.match,
        update=job.update,
        dry_run=job.dry_run,
    )


@contextmanager
def _opened(
    job: Job, progress: Progress
) -> Iterator[tuple[Reader, IO[str] | None, "tqdm[NoReturn]"]]:
    with ExitStack() as files:
        source = reader(files.enter_context(job.file.open("rb")), job.form)
        if progress.position:
            source.skip(progress.position, progress.line)
        mode = "a" if job.resume else "w"
        report = (
            files.enter_context(job.report.open(mode, encoding="utf-8")) if job.report else None
        )
        bar = _bar("import", progress.size, "B", progress.position)
        files.enter_context(bar)
        yield source, report, bar


def _tell(job: Job, report: IO[str] | None, line: int, reason: str) -> None:
    if len(job.reasons) < MANY or reason in job.reasons:
        job.reasons[reason] += 1
    if report:
        report.write(json.dumps({"line": line, "reason": reason}, ensure_ascii=False) + "\n")
    else:
        tqdm.write(f"{job.file}:{line}: {reason}", file=sys.stderr)


def _bar(what: str, total: int, unit: str, initial: int = 0) -> "tqdm[NoReturn]":
    return tqdm(
        total=total, initial=initial, unit=unit, unit_scale=True, desc=what, mininterval=0.5
    )


def _rate(progress: Progress, bar: "tqdm[NoReturn]") -> str:
    people = progress.imported + progress.updated + progress.already_there
    seconds = bar.format_dict["elapsed"]
    return f"{people} people, {people / seconds:.0f}/s" if seconds else f"{people} people"


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--format", "given", type=_FORMATS, help="By the file's suffix when not given.")
@click.option("--status", type=click.Choice([s.value for s in UserStatus]))
@click.option("--with-hashes", is_flag=True, help="Password hashes too: keep the file secret.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def export(
    file: Path, given: str | None, status: str | None, with_hashes: bool, force: bool
) -> None:
    """Export people to FILE, NDJSON or CSV; "-" is standard output.

    The file is readable by its owner alone and appears when it is whole. In CSV an apostrophe
    stands before cells that a spreadsheet would take for a formula.
    """
    form = Format(given or "ndjson") if str(file) == "-" else format_of(file, given)
    chosen = UserStatus(status) if status else None
    with files_of_ours():
        if file.exists() and not force:
            raise fail(f"{file} is there already; --force replaces it.")
        count = asyncio.run(_export(file, form, chosen, with_hashes=with_hashes))
    click.echo(f"Exported {count} people.", err=True)


async def _export(file: Path, form: Format, status: UserStatus | None, *, with_hashes: bool) -> int:
    count = 0
    async with services_at_work() as services:
        total = await services.exports.total(SYSTEM, status)
        with _whole(file) as target, _bar("export", total, " people") as bar:
            writer = Writer(target, form, with_hashes=with_hashes)
            async for batch in services.exports.batches(SYSTEM, status, with_hashes=with_hashes):
                for person in batch:
                    writer.write(person)
                count += len(batch)
                bar.update(len(batch))
    return count


@contextmanager
def _whole(file: Path) -> Iterator[IO[str]]:
    """A file of mode 0600 that takes its name once it is whole."""
    if str(file) == "-":
        yield sys.stdout
        return
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as target:  # noqa: PTH123  # a handle
            yield target
            target.flush()
            os.fsync(target.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
