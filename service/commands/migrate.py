"""manage.py migrate: the schema's history."""

import asyncio

import click

from config.settings import load
from service.app import migrator


@click.group()
def migrate() -> None:
    """Bring the database's schema up to date, or back."""
