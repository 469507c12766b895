"""manage.py user import and export, as an operator runs them.

What a database has a part in runs on all three; what is about files runs on SQLite alone, for each
command is a process of its own.
"""

import csv
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from service.infra.database import Database
from tests.bench.people import people
from tests.support.databases import Backend, fresh_database

ROOT = Path(__file__).resolve().parents[2]
HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21l$Zm9yIHRoZSB0ZXN0cywgbm90aGluZyBlbHNlLi4uLi4"


@pytest.fixture
def url(backend: Backend) -> Iterator[str]:
    with fresh_database(backend) as url:
        yield url


@pytest.fixture
def any_url() -> Iterator[str]:
    with fresh_database("sqlite") as url:
        yield url


def start(url: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "user", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "JWT_SECRET": "a secret of the tests, " * 2},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def manage(url: str, *arguments: object, code: int = 0) -> str:
    """What it said on standard output."""
    process = start(url, *arguments)
    said, complained = process.communicate(timeout=100)
    assert process.returncode == code, complained
    return said


async def rows(url: str, query: str) -> list[dict[str, Any]]:
    client = Database(url).engine(pool_size=1, command_timeout=10)
    await client.create_connection(with_db=True)
    try:
        return [dict(row) for row in (await client.execute_query(query))[1]]
    finally:
        await client.close()


def ndjson(path: Path, lines: Sequence[object]) -> Path:
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def counted(said: str) -> tuple[int, ...]:
    """Imported, updated, already there, refused."""
    return tuple(
        int(word) for word in said.splitlines()[0].replace(",", "").split() if word.isdigit()
    )


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


ODD = [
    {
        "name": "=HYPERLINK(1)",
        "email": "a@x.test",
        "status": "suspended",
        "email_verified": True,
        "external_id": "+1",
        "created_at": "2020-02-29T12:00:00.123456Z",
        "profile": {"bio": 'two\nlines, "quoted"', "phone": "+4930123456"},
    },
    {"name": "'=Quoted", "email": "b@x.test", "profile": {"avatar_url": "https://x.test/a,b"}},
    {"name": "松田 👩🏽‍💻, Sr.", "email": "c@x.test", "roles": ["service"]},
]


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_what_was_exported_can_be_imported_elsewhere(
    backend: Backend, url: str, tmp_path: Path, form: str
) -> None:
    first, second = tmp_path / f"first.{form}", tmp_path / f"second.{form}"
    manage(url, "import", "--with-roles", ndjson(tmp_path / "odd.ndjson", ODD))
    manage(url, "export", first)
    with fresh_database(backend) as other:
        manage(other, "import", "--with-roles", first)
        manage(other, "export", second)
    assert _told(first, form) == _told(second, form)
    assert len(_told(first, form)) == 3


def _told(path: Path, form: str) -> list[dict[str, Any]]:
    """What stays the same elsewhere, in the order of addresses."""
    if form == "csv":
        with path.open(encoding="utf-8", newline="") as file:
            people = list(csv.DictReader(file))
    else:
        people = read(path)
    own = ("id", "updated_at")
    told = [{name: value for name, value in one.items() if name not in own} for one in people]
    return sorted(told, key=lambda one: str(one["email"]))


def test_a_spreadsheet_takes_no_cell_for_a_formula(any_url: str, tmp_path: Path) -> None:
    manage(any_url, "import", ndjson(tmp_path / "odd.ndjson", ODD))
    manage(any_url, "export", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert "'=HYPERLINK(1)" in cells
    assert "''=Quoted" in cells


async def test_hashes_leave_only_when_asked_for_and_for_the_owner_alone(
    any_url: str, tmp_path: Path
) -> None:
    manage(any_url, "import", ndjson(tmp_path / "odd.ndjson", ODD))
    await rows(any_url, f"UPDATE users SET password_hash = '{HASH}'")
    manage(any_url, "export", tmp_path / "plain.ndjson")
    manage(any_url, "export", "--with-hashes", tmp_path / "secret.ndjson")
    assert "argon2" not in (tmp_path / "plain.ndjson").read_text()
    assert [one["password_hash"] for one in read(tmp_path / "secret.ndjson")] == [HASH] * 3
    assert stat.S_IMODE((tmp_path / "secret.ndjson").stat().st_mode) == 0o600


def test_an_export_replaces_no_file_unasked(any_url: str, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("mine")
    manage(any_url, "export", tmp_path / "out.csv", code=1)
    assert (tmp_path / "out.csv").read_text() == "mine"
    manage(any_url, "export", "--force", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().startswith("id,")


async def test_a_dry_run_tells_everything_and_writes_nothing(any_url: str, tmp_path: Path) -> None:
    file = ndjson(tmp_path / "people.ndjson", [*ODD[:2], "{", {"name": "N", "email": "no"}])
    assert counted(manage(any_url, "import", "--dry-run", file, code=1)) == (2, 0, 0, 2)
    assert await rows(any_url, "SELECT id FROM users") == []
    assert os.listdir(tmp_path) == ["people.ndjson"]  # noqa: PTH208  # a loop of nobody's


def test_refused_lines_are_reported_with_their_reasons(any_url: str, tmp_path: Path) -> None:
    lines = [
        {"name": "A", "email": "a@x.test"},
        "not json",
        {"name": "B", "email": "nowhere"},
        "",
        {"name": "C", "email": "c@x.test", "pet": "cat"},
        {"name": "D", "email": "A@x.test"},
        {"name": "E", "email": "e@x.test", "roles": ["nobody made it"]},
    ]
    file, report = ndjson(tmp_path / "people.ndjson", lines), tmp_path / "report.ndjson"
    said = manage(any_url, "import", "--with-roles", "--report", report, file, code=1)
    assert counted(said) == (1, 0, 0, 5)
    told = {one["line"]: one["reason"] for one in read(report)}
    assert sorted(told) == [2, 3, 5, 6, 7]
    assert "JSON" in told[2]
    assert "email" in told[3]
    assert "pet" in told[5]
    assert "nowhere" not in report.read_text()


@pytest.mark.parametrize("match", ["email", "external_id"])
def test_a_file_imported_again_changes_nothing(url: str, tmp_path: Path, match: str) -> None:
    file = ndjson(tmp_path / "people.ndjson", list(people(30)))
    assert counted(manage(url, "import", "--match", match, file)) == (30, 0, 0, 0)
    assert counted(manage(url, "import", "--match", match, file)) == (0, 0, 30, 0)


async def test_update_brings_up_to_date_who_is_there(url: str, tmp_path: Path) -> None:
    before = [{"name": "Ada", "email": "ada@x.test", "external_id": "7"}]
    after = [{"name": "Ada L.", "email": "new@x.test", "external_id": "7", "status": "inactive"}]
    manage(url, "import", ndjson(tmp_path / "1.ndjson", before))
    told = manage(
        url, "import", "--match", "external_id", "--update", ndjson(tmp_path / "2.ndjson", after)
    )
    assert counted(told) == (0, 1, 0, 0)
    (row,) = await rows(url, "SELECT name, email, status, version FROM users")
    assert (row["name"], row["email"], row["status"]) == ("Ada L.", "new@x.test", "inactive")
    assert row["version"] > 1


async def test_who_has_the_address_of_somebody_else_is_refused(
    any_url: str, tmp_path: Path
) -> None:
    manage(
        any_url,
        "import",
        ndjson(tmp_path / "1.ndjson", [{"name": "A", "email": "a@x.test", "external_id": "1"}]),
    )
    other = [{"name": "B", "email": "a@x.test", "external_id": "2"}]
    file = ndjson(tmp_path / "2.ndjson", other)
    told = manage(any_url, "import", "--match", "external_id", "--update", file, code=1)
    assert counted(told) == (0, 0, 0, 1)


def test_the_last_admin_is_not_suspended_by_a_file(any_url: str, tmp_path: Path) -> None:
    person = {"name": "Root", "email": "root@x.test", "roles": ["admin"]}
    manage(any_url, "import", "--with-roles", ndjson(tmp_path / "1.ndjson", [person]))
    file = ndjson(tmp_path / "2.ndjson", [person | {"status": "suspended"}])
    assert counted(manage(any_url, "import", "--update", file, code=1)) == (0, 0, 0, 1)


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_an_import_that_was_killed_goes_on_where_it_stopped(
    url: str, tmp_path: Path, form: str
) -> None:
    count = 9_000
    file = _written(tmp_path / f"people.{form}", form, count)
    process = start(url, "import", file)
    state = tmp_path / f"people.{form}.import-state"
    deadline = time.monotonic() + 60
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.005)  # noqa: ASYNC251  # nothing else runs in this loop
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (held,) = await rows(url, "SELECT COUNT(*) AS n FROM users")
    assert 0 < held["n"] < count
    done = counted(manage(url, "import", "--resume", file))
    assert sum(done) == count
    assert done[0] >= count - held["n"]
    assert not state.exists()
    (held,) = await rows(url, "SELECT COUNT(*) AS n FROM users")
    assert held["n"] == count


def _written(path: Path, form: str, count: int) -> Path:
    if form == "ndjson":
        return ndjson(path, list(people(count)))
    columns = ["name", "email", "status", "email_verified", "external_id"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(
            one | {"email_verified": str(one["email_verified"]).lower()} for one in people(count)
        )
    return path


def test_there_is_nothing_to_resume_when_the_file_is_another(any_url: str, tmp_path: Path) -> None:
    file = ndjson(tmp_path / "people.ndjson", ODD)
    manage(any_url, "import", "--resume", file, code=1)


@pytest.mark.parametrize(
    "text", ["", "email\na@x.test\n", "name,email,email\nA,a@x.test,b@x.test\n"]
)
def test_a_csv_file_without_proper_columns_is_refused_whole(
    any_url: str, tmp_path: Path, text: str
) -> None:
    (tmp_path / "people.csv").write_text(text)
    manage(any_url, "import", tmp_path / "people.csv", code=1)


def test_a_broken_record_of_csv_does_not_hold_up_the_others(any_url: str, tmp_path: Path) -> None:
    file, report = tmp_path / "people.csv", tmp_path / "report.ndjson"
    file.write_bytes(
        b"\xef\xbb\xbfname,email,email_verified\r\n"
        b"Ada,ada@x.test,TRUE\r\n"
        b"Bob,bob@x.test,true,too,many\r\n"
        b"\xff\xfe,c@x.test,\r\n"
        b"Dan,dan@x.test,perhaps\r\n"
        b"Eve,eve@x.test,\r\n"
    )
    assert counted(manage(any_url, "import", "--report", report, file, code=1)) == (2, 0, 0, 3)
    assert [one["line"] for one in read(report)] == [3, 4, 5]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("export", "{}/nope/x.csv"), "{}/nope/.x.csv.part: No such file or directory."),
        (("export", "{}/good.ndjson/x.csv"), "{}/good.ndjson/.x.csv.part: Not a directory."),
        (("import", "--report", "{}/nope/r", "{}/good.ndjson"), "{}/nope/r: No such file"),
        (("import", "--report", "{}/good.ndjson", "{}/good.ndjson"), "is the file to import"),
        (("import", "--resume", "{}/odd.ndjson"), "{}/odd.ndjson.import-state: Is a directory."),
        (("import", "--report", "/dev/full", "{}/bad.ndjson"), "No space left on device."),
    ],
)
def test_a_file_that_can_not_be_had_is_named_in_one_line(
    any_url: str, tmp_path: Path, words: Sequence[str], complaint: str
) -> None:
    for name in ("good", "odd"):
        ndjson(tmp_path / f"{name}.ndjson", [{"name": "Ada", "email": "ada@example.com"}])
    ndjson(tmp_path / "bad.ndjson", [{"name": "Ada"}])
    (tmp_path / "odd.ndjson.import-state").mkdir()
    process = start(any_url, *(word.format(tmp_path) for word in words))
    _, said = process.communicate(timeout=100)
    assert process.returncode == 1
    last = said.splitlines()[-1]
    assert last.startswith("Error: ")
    assert complaint.format(tmp_path) in last
    assert "Traceback" not in said
    assert (tmp_path / "good.ndjson").stat().st_size > 0


def test_memory_does_not_grow_with_the_file(any_url: str, tmp_path: Path) -> None:
    file = ndjson(tmp_path / "people.ndjson", list(people(8_000)))
    process = start(any_url, "import", file)
    watched, most = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            most = max(most, watched.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.02)
    process.communicate()
    assert process.returncode == 0
    assert most < 250 * 2**20
