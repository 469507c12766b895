"""The table of leases."""

from tortoise import fields
from tortoise.models import Model


class Lease(Model):
    """A duty that one process at a time has: ``holder`` has it until ``until``, unless renewed."""

    name = fields.CharField(max_length=64, primary_key=True)
    holder = fields.UUIDField()
    until = fields.DatetimeField()

    class Meta:
        table = "leases"

    def __repr__(self) -> str:
        return f"<Lease {self.name}>"
