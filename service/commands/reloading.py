"""manage.py reload: new workers in place of the old ones, while the service goes on."""

import math

import click

from config.settings import Purpose, load
from service.commands.failures import fail
from service.control import FAILED, RELOAD, Line, NobodyThereError
from service.server import control_path

TIMEOUT_MAX = 3600.0


class Seconds(click.FloatRange):
    """More than none, an hour at most; NaN, which compares with nothing, is neither."""

    def __init__(self) -> None:
        super().__init__(min=0, max=TIMEOUT_MAX, min_open=True)

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = float(super().convert(value, param, ctx))  # type: ignore[arg-type]  # text, too
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


@click.command()
@click.option(
    "--timeout",
    type=Seconds(),
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
