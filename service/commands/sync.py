"""manage.py sync: how the directories stand that users are pushed to."""

import asyncio
from datetime import UTC, datetime

import click

from service.commands.failures import fail
from service.commands.work import services_at_work
from service.core.access import SYSTEM
from service.sync.service import Retried, SyncStatus


@click.group()
def sync() -> None:
    """Show and mend what directories are told of users (SYNC_TARGETS)."""


@sync.command()
def status() -> None:
    """Print how many users are synced, what each directory waits for, and who failed."""

    async def work() -> SyncStatus:
        async with services_at_work() as services:
            return await services.directories.status(SYSTEM)

    found = asyncio.run(work())
    for name, count in found.counts.items():
        click.echo(f"{name:<8}{count:>10}")
    for target in found.targets:
        age = datetime.now(UTC) - target.oldest if target.oldest else None
        lag = f"{age.total_seconds():.0f} s behind" if age else "up to date"
        waits = f"{target.behind + target.waiting} to be told, {target.dead} given up"
        why = f" ({target.error})" if target.error else ""
        click.echo(f"{target.sink}: {lag}, {waits}{why}")
    for user_id in found.failed:
        click.echo(f"failed: {user_id}")


@sync.command()
@click.option("--user", "user_id", help="The id of one user.")
@click.option("--all-failed", is_flag=True, help="Every user that failed.")
def retry(user_id: str | None, all_failed: bool) -> None:
    """Have users pushed again: one of them, or all that failed."""
    if bool(user_id) == all_failed:
        raise fail("Say --user ID or --all-failed.")

    async def work() -> Retried:
        async with services_at_work() as services:
            if user_id:
                await services.directories.retry(SYSTEM, user_id)
                return Retried(users=1, deletions=0)
            return await services.directories.retry_failed(SYSTEM)

    click.echo(f"{_counted(asyncio.run(work()))} to be pushed again.")


def _counted(done: Retried) -> str:
    users = "1 user" if done.users == 1 else f"{done.users} users"
    if not done.deletions:
        return users
    return f"{users} and {done.deletions} deletion{'s' * (done.deletions > 1)}"
