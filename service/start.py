"""``python -m service.start MODULE …``: load a module without the collector, and run it."""

import sys
from importlib import import_module

from service import loading


def main(module: str, *arguments: str) -> None:
    """Call ``main`` of ``module`` with the rest of the words."""
    loading.begin()
    run = import_module(module).main
    loading.end()
    run(*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
