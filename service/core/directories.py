"""Other systems that are told of users: who they are, and how one is reached."""

import re
from dataclasses import dataclass
from typing import Self

_FORM = re.compile(
    r"([a-z][a-z0-9-]{0,31})=(grpcs?)://([A-Za-z0-9.-]{1,253}|\[[0-9a-f:]+\]):([0-9]{1,5})"
)


@dataclass(frozen=True, slots=True)
class Directory:
    """A receiver of ``arcana.sync``; ``tls`` as grpcs:// says."""

    name: str
    host: str
    port: int
    tls: bool

    @property
    def sink(self) -> str:
        """What its progress is kept under."""
        return f"sync:{self.name}"

    @classmethod
    def read(cls, text: str) -> Self:
        """From ``crm=grpcs://crm.internal:7443``.

        Raises:
            ValueError: it is of another form.
        """
        found = _FORM.fullmatch(text.strip())
        if not found or not 0 < int(found[4]) < 65_536:
            raise ValueError("must be a name and an address, such as crm=grpcs://crm.internal:7443")
        return cls(found[1], found[3].strip("[]"), int(found[4]), found[2] == "grpcs")
