"""What a new noun is called, and what it can't be called."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from service.commands import new
from service.commands.scaffold.names import BadName, Names, clashes, plural_of
from service.commands.scaffold.noun import CannotScaffold, plan
from service.commands.scaffold.places import EDITS, FILES, MADE
from service.commands.scaffold.tree import Edit, NoPlace, Tree

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = "tested_sample"
"""What nobody calls a noun of theirs."""


@pytest.mark.parametrize(
    ("noun", "plural"),
    [
        ("invoice", "invoices"),
        ("category", "categories"),
        ("day", "days"),
        ("box", "boxes"),
        ("address", "addresses"),
        ("batch", "batches"),
        ("purchase_order", "purchase_orders"),
    ],
)
def test_many_are_called_as_english_has_it(noun: str, plural: str) -> None:
    assert plural_of(noun) == plural
    assert Names.of(noun).nouns == plural


def test_each_form_of_a_name_stands_where_it_belongs() -> None:
    names = Names.of("purchase_order")
    text = "$noun $nouns $Noun ${Nouns}Rpc ${NOUNS}_READ /$path $a_single $Single $many $Many"
    assert names.fill(text) == (
        "purchase_order purchase_orders PurchaseOrder PurchaseOrdersRpc PURCHASE_ORDERS_READ"
        " /purchase-orders a purchase order Purchase order purchase orders Purchase orders"
    )
    assert Names.of("invoice").fill("$a_single") == "an invoice"
    assert Names.of("person", "people").fill("$Nouns") == "People"


@pytest.mark.parametrize(
    "name",
    [
        *("", "Invoice", "in-voice", "in voice", "_invoice", "invoice_", "in__voice", "x_ray"),
        *(
            "2nd",
            "tax2",
            "élan",
            "a.b",
            "../invoice",
            "x" * 33,
            "class",
            "lambda",
            "list",
            "object",
            "exception",
            "true",
        ),
    ],
)
def test_what_is_no_plain_word_is_refused(name: str) -> None:
    with pytest.raises(BadName):
        Names.of(name)


@pytest.mark.parametrize(
    ("noun", "plural"),
    [("sheep", "sheep"), ("value", None), ("key", None), ("read", None), ("row", "Rows")],
)
def test_a_bad_plural_is_refused_with_the_mend(noun: str, plural: str | None) -> None:
    with pytest.raises(BadName, match=r"--plural|lower-case"):
        Names.of(noun, plural)


@pytest.mark.parametrize(
    ("noun", "why"),
    [
        ("user", "service/users is there"),
        ("api_key", "service/api_keys is there"),
        ("core", "service/core is there"),
        ("client", "service/clients is there"),
        ("common", "protos/arcana_protos/common is there"),
        ("session", "service/auth/models.py has class Session"),
        ("user_profile", "service/users/models.py has class UserProfile"),
        ("field", "tests/support/operations.py calls something else 'field'"),
        ("account", "service/app/services.py calls something else 'accounts'"),
        ("page", "service/pages/service.py calls something else 'Page'"),
        ("actor", "service/actors/service.py calls something else 'Actor'"),
        ("raw", "service/raws/service.py calls something else 'Raw'"),
        ("publisher", "service/publishers/service.py calls something else 'Publisher'"),
        ("model", "service/models/models.py calls something else 'Model'"),
        ("instant", "service/instants/schemas.py calls something else 'Instant'"),
        ("meta", "service/metas/models.py calls something else 'Meta'"),
        ("versioned", "service/versioneds/schemas.py calls something else 'VersionedView'"),
        ("call", "protos/arcana_protos/client.py calls something else '_Calls'"),
        ("google", "protos/arcana/google.proto calls something else 'google'"),
        ("log", "tests/contract/test_logs.py is there"),
    ],
)
def test_a_name_that_is_taken_is_refused(noun: str, why: str) -> None:
    with pytest.raises(CannotScaffold, match=f"The name is taken: {why}"):
        plan(ROOT, Names.of(noun))


@pytest.mark.parametrize("noun", ["item", "view", "version", "team", "address", "reply", "config"])
def test_a_word_that_templates_only_say_is_free(noun: str) -> None:
    assert plan(ROOT, Names.of(noun)).new


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        (
            "service/zqnouns/x.py",
            "from a import Parcel\n\nclass Zqnoun: ...\n",
            "service/parcels/x.py calls something else 'Parcel'",
        ),
        ("x.py", "def zqnouns(parcels): ...\n", "x.py calls something else 'parcels'"),
        ("x.py", "a._zqnouns = a._parcels\n", "x.py calls something else '_parcels'"),
        ("x.proto", "package a.zqnoun; parcel.Empty", "x.proto calls something else 'parcel'"),
    ],
)
def test_what_a_template_comes_to_use_is_found_in_it(path: str, text: str, why: str) -> None:
    assert list(clashes(Names.of("parcel"), {path: text})) == [why]
    assert list(clashes(Names.of("crate"), {path: text})) == []


def test_outside_of_a_checkout_nothing_is_done(tmp_path: Path) -> None:
    with pytest.raises(CannotScaffold, match="is no checkout of Arcana"):
        plan(tmp_path, Names.of(SAMPLE))
    assert list(tmp_path.iterdir()) == []


def copy_of(root: Path, place: Path) -> Path:
    """All that a plan looks at."""
    names = {*(edit.path for edit in EDITS), "manage.py", "protos/generate.py"}
    names |= {str(p.relative_to(root)) for p in root.glob("service/*/*.py")}
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes((root / name).read_bytes())
    (place / "migrations").mkdir()
    return place


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit.path} {edit.mark.strip()}")
def test_a_place_that_is_not_found_is_named_and_nothing_is_written(
    tmp_path: Path, edit: Edit
) -> None:
    place = copy_of(ROOT, tmp_path)
    lines = (place / edit.path).read_text().splitlines(keepends=True)
    kept = "".join(line for line in lines if not line.startswith(edit.mark))
    (place / edit.path).write_text(kept)
    with pytest.raises(CannotScaffold, match=r"Nothing was written\.") as refused:
        plan(place, Names.of(SAMPLE))
    assert edit.path in str(refused.value)
    assert not (place / Names.of(SAMPLE).fill("service/$nouns")).exists()
    assert (place / edit.path).read_text() == kept


def test_a_dry_run_names_every_file_and_writes_none() -> None:
    ran = CliRunner().invoke(new.noun, [SAMPLE, "--dry-run"])
    told = [line.split() for line in ran.output.splitlines()]
    fill = Names.of(SAMPLE).fill
    assert {path for mark, path, *_ in told if mark == "new"} == {fill(path) for path in FILES}
    changed = {path for mark, path, *_ in told if mark == "changed"}
    assert changed == {edit.path for edit in EDITS}
    assert not (ROOT / Names.of(SAMPLE).fill("service/$nouns")).exists()


def test_what_was_written_can_be_taken_back(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a\nb\n")
    tree = Tree(tmp_path)
    tree.add("new/file.txt", "new")
    tree.edit(Edit("list.txt", "after", "a", "between"))
    assert not (tmp_path / "new").exists()
    tree.write()
    assert (tmp_path / "list.txt").read_text() == "a\nbetween\nb\n"
    (tmp_path / "new" / "__pycache__").mkdir()
    tree.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["list.txt"]
    assert (tmp_path / "list.txt").read_text() == "a\nb\n"


def test_a_line_goes_last_into_its_block() -> None:
    lines = ["A = [", "    1,", "]", "B = [", "]"]
    Edit("x", "into", "A =", "    2,", "]").apply(lines)
    Edit("x", "before", "B =", "# b").apply(lines)
    assert lines == ["A = [", "    1,", "    2,", "]", "# b", "B = [", "]"]
    with pytest.raises(NoPlace, match="C ="):
        Edit("x", "after", "C =", "").apply(lines)


def test_contributing_names_every_file() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## Add a noun")[2]
    text = text.partition("\n## ")[0].replace("<nouns>", "$nouns").replace("<noun>", "$noun")
    for path in {edit.path for edit in EDITS} | set(MADE[1:]):
        assert f"`{path}`" in text
    for path in FILES:
        assert f"`{path.rpartition('/')[2]}`" in text or f"`{path}`" in text
