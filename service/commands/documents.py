"""manage.py openapi and protos: what clients are made from."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
from pydantic import SecretStr

from config.settings import Settings
from service.app import create_app
from service.transport.http.openapi import document

GENERATOR = Path(__file__).resolve().parents[2] / "protos" / "generate.py"


@click.command()
def openapi() -> None:
    """Print the OpenAPI 3.1 document of the REST door."""
    app = create_app(Settings(jwt_secret=SecretStr("-" * 32)), name="openapi")
    app.finalize()
    click.echo(json.dumps(document(app, version("arcana")), ensure_ascii=False, indent=2))


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; fail when something is stale.")
def protos(check: bool) -> None:
    """Make the gRPC client package anew from protos/*.proto."""
    command = [sys.executable, str(GENERATOR), *(["--check"] if check else [])]
    raise SystemExit(subprocess.run(command, check=False).returncode)  # noqa: S603  # our own
