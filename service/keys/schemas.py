"""Views of keys: of the ring for operators, of its public part for everybody."""

import hashlib
from typing import Any, Self

from pydantic import Field

from service.core.views import Instant, VersionedView, View
from service.keys.held import State

VERSION_BYTES = 7
"""As many fit into a version that JSON's readers can hold, too."""


class KeyView(View):
    """A key as operators see it; nothing of the key itself."""

    kid: str
    algorithm: str
    state: State
    created_at: Instant
    signs_from: Instant | None
    expires_at: Instant | None
    opens: bool


class JwkView(View):
    """A public key (RFC 7517 §4)."""

    kty: str
    use: str = Field(description="Always `sig`.")
    key_ops: list[str]
    alg: str
    kid: str
    crv: str | None = None
    x: str | None = None
    y: str | None = None
    n: str | None = None
    e: str | None = None


class KeySetView(VersionedView):
    """The public keys that access tokens may be signed with (RFC 7517 §5)."""

    keys: list[JwkView]

    @classmethod
    def of(cls, jwks: list[dict[str, Any]]) -> Self:
        digest = hashlib.sha256(repr(jwks).encode()).digest()[:VERSION_BYTES]
        version = int.from_bytes(digest, "big")
        return cls(keys=[JwkView(**jwk) for jwk in jwks], version=version)
