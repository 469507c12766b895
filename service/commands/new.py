"""manage.py new: source code in the house's style, to go on from."""

from pathlib import Path

import click

from service.commands.failures import fail
from service.commands.scaffold.names import BadName, Names
from service.commands.scaffold.noun import CannotScaffold, plan, write

ROOT = Path(__file__).resolve().parents[2]
NEXT = """
Yours now:
  1. make check
  2. Give it the fields it is about: models.py, schemas.py, repository.py, both doors, the .proto;
     take the migration away and make it anew (manage.py migrate make $nouns), and make protos.
  3. Say who may do what: @allow in service.py, the table in tests/contract/test_policy.py.
  4. Its words in docs/api.md and CHANGELOG.md. CONTRIBUTING.md, "Add a noun", tells of each file.
"""


@click.group()
def new() -> None:
    """Write source code to go on from, into this checkout."""


@new.command()
@click.argument("name")
@click.option("--plural", help="What many of it are called, where English has its own mind.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
def noun(name: str, plural: str | None, dry_run: bool) -> None:
    """Write a noun that users have their own of: all files, both doors, migration, tests.

    NAME is one of it in lower case, such as invoice or purchase_order.
    """
    try:
        names = Names.of(name, plural)
        tree = plan(ROOT, names)
        if dry_run:
            for mark, paths in (("new", tree.new), ("changed", tree.changed)):
                click.echo("".join(f"{mark:8} {path}\n" for path in sorted(paths)), nl=False)
            click.echo("And what follows: the compiled .proto, the migration.")
            return
        click.echo("\n".join(write(ROOT, names, tree)))
    except (BadName, CannotScaffold) as error:
        raise fail(str(error)) from None
    click.echo(names.fill(NEXT), nl=False)
