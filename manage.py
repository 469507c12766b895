#!/usr/bin/env python3
"""The command line of Arcana: ``python manage.py --help``."""

from service import checkout, loading

checkout.enter()
loading.begin()

from service.commands.main import main  # noqa: E402  # not before loading begins

loading.end()

if __name__ == "__main__":
    main()
