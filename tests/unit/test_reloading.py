"""``manage.py reload``: how long it may be told to wait."""

import pytest
from click.testing import CliRunner

from service.commands.reloading import reload


@pytest.mark.parametrize("seconds", ["-1", "0", "nan", "inf", "-inf", "1e9", "soon"])
def test_a_time_out_is_a_number_of_seconds_that_passes(seconds: str) -> None:
    ran = CliRunner().invoke(reload, ["--timeout", seconds])
    assert ran.exit_code == 2
    assert ran.output.splitlines()[-1].startswith("Error: Invalid value for '--timeout'")
