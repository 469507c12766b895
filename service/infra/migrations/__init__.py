"""The schema's history: one folder of migrations for three databases."""

from service.infra.migrations.files import FOLDER, MigrationError
from service.infra.migrations.migrator import Migrator, Status

__all__ = ["FOLDER", "MigrationError", "Migrator", "Status"]
