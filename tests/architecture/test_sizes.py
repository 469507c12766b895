"""Functions and files stay small enough to be read at once."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_MAX, FILE_MAX = 45, 400
ROOMS = ("service", "config", "protos")


def sources() -> list[Path]:
    """Every file of ours but the generated ones."""
    found = (path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return [path for path in found if not path.read_text().startswith("# Generated")]


def test_a_function_of_more_than_45_lines_is_split() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_MAX
    ]
    assert not long


def test_a_file_of_more_than_400_lines_is_split() -> None:
    long = [path for path in sources() if len(path.read_text().splitlines()) > FILE_MAX]
    assert not long
