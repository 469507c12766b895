#!/usr/bin/env python3
"""The command line of Arcana: ``python manage.py --help``."""

from service.commands.main import main

if __name__ == "__main__":
    main()
