"""Rows of the key ring as a process holds them: opened, as far as its secrets go."""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from service.core.errors import Unavailable
from service.core.keys import Secrets
from service.keys.algorithms import KINDS, Algorithm, HmacKey, Key
from service.keys.encoding import Unfit
from service.keys.jwk import read_jwk
from service.keys.models import SigningKey
from service.keys.sealing import Safe

log = logging.getLogger("arcana.keys")


class State(StrEnum):
    """Where a key stands in its life."""

    NEXT = "next"
    SIGNING = "signing"
    VERIFYING = "verifying"
    EXPIRED = "expired"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key of the ring.

    ``key`` is None when no secret of ours opens it and it has no public part; ``can_sign`` says
    that its private part was opened. ``secret`` is the place, in ``Secrets.all``, of the secret
    that is itself the key. ``completed`` are its seals with those of ours that it lacks.
    """

    row: SigningKey
    key: Key | None
    can_sign: bool
    jwk: dict[str, Any] | None = None
    secret: int | None = None
    completed: str | None = None

    @property
    def kid(self) -> str:
        return self.row.kid

    @property
    def algorithm(self) -> Algorithm:
        return self.row.algorithm  # type: ignore[return-value]  # the repository takes no other

    def is_good(self, now: datetime) -> bool:
        """Whether what it signed is taken; of a retired key by nobody, whatever his clock says."""
        end = self.row.expires_at
        return end is None or (end > now and not self._is_retired)

    def state(self, now: datetime) -> State:
        if self.row.expires_at is None:
            return State.NEXT if self.row.signs_from is None else State.SIGNING
        if self.is_good(now):
            return State.VERIFYING
        return State.RETIRED if self._is_retired else State.EXPIRED

    @property
    def _is_retired(self) -> bool:
        end = self.row.expires_at
        return end is not None and end <= self.row.created_at

    @property
    def signs(self) -> bool:
        return self.row.signs_from is not None and self.row.expires_at is None

    @property
    def is_next(self) -> bool:
        return self.row.signs_from is None and self.row.expires_at is None


def signing_of(keys: Iterable[HeldKey]) -> HeldKey | None:
    """The one key that signs; None in an empty ring."""
    return next((key for key in keys if key.signs), None)


class SecretsAlone:
    """The configured secrets as keys, for whoever has no database to ask."""

    def __init__(self, secrets: Secrets) -> None:
        own = zip(own_kids(secrets), secrets.all, strict=True)
        self._keys = {kid: HmacKey(secret, kid) for kid, secret in own}

    async def signing(self) -> Key:
        raise Unavailable

    async def find(self, kid: str) -> Key | None:
        """Raises: Unavailable, for every other key."""
        if kid not in self._keys:
            raise Unavailable
        return self._keys[kid]


def own_kids(secrets: Secrets) -> tuple[str, ...]:
    """What tokens call each secret as a key, the current one's first."""
    return tuple(raw.hex() for raw in secrets.derive("jwt key id", 8))


class Opener:
    """Opens rows with the configured secrets; what it opened once it keeps."""

    def __init__(self, secrets: Secrets, safe: Safe) -> None:
        self._secrets, self._safe = secrets, safe
        self.own_kids = own_kids(secrets)
        self._opened: dict[tuple[str, str | None], HeldKey] = {}

    def hold(self, rows: Iterable[SigningKey]) -> list[HeldKey]:
        """The keys of the rows, in their order."""
        held = [self._hold(row) for row in rows]
        self._opened = {(key.kid, key.row.sealed): key for key in held}
        return held

    def _hold(self, row: SigningKey) -> HeldKey:
        known = self._opened.get((row.kid, row.sealed))
        if known is None:
            return self._open(row)
        return HeldKey(row, known.key, known.can_sign, known.jwk, known.secret, known.completed)

    def _open(self, row: SigningKey) -> HeldKey:
        if row.sealed is None:
            return self._secrets_own(row)
        jwk = json.loads(row.public) if row.public else None
        algorithm: Algorithm = row.algorithm  # type: ignore[assignment]  # checked by KINDS
        try:
            private = self._safe.open(row.kid, algorithm, row.sealed)
            completed = self._safe.completed(row.kid, algorithm, row.sealed)
            whole = KINDS[algorithm].restored(private, row.kid)
            return HeldKey(row, whole, True, jwk, completed=completed)
        except Unfit as fault:
            log.warning("a key can't be used for signing (%s)", str(fault), extra={"kid": row.kid})
        return HeldKey(row, read_jwk(jwk) if jwk else None, False, jwk)

    def _secrets_own(self, row: SigningKey) -> HeldKey:
        if row.kid not in self.own_kids:
            return HeldKey(row, None, False)
        place = self.own_kids.index(row.kid)
        return HeldKey(row, HmacKey(self._secrets.all[place], row.kid), True, secret=place)
