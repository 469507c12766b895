"""manage.py reload: new workers in place of the old ones, while the service goes on."""

import click

from config.settings import Purpose, load
from service.commands.failures import fail
from service.control import FAILED, RELOAD, Line, NobodyThereError
from service.server import control_path


@click.command()
@click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    help="Seconds to wait for each worker; it may take 10 to finish what it has.",
)
def reload(timeout: float) -> None:
    """Replace the workers of a running service one by one, so that nobody is refused.

    New workers run the code and read the settings that are there now; the parent stays.
    """
    path = control_path(load(Purpose.TOOL))
    try:
        line = Line(path, timeout)
    except NobodyThereError:
        raise fail(
            f"No service listens at {path}: is it running, here and with this HTTP_PORT?"
        ) from None
    try:
        for said in line.ask(RELOAD):
            if said.startswith(FAILED):
                raise fail(f"Not reloaded: {said.removeprefix(FAILED).lstrip(': ')}")
            click.echo(said)
    except TimeoutError:
        raise fail(f"Nothing was heard for {timeout:g} s; see the service's log.") from None
    finally:
        line.close()
