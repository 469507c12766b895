"""Private parts at rest: encrypted under a key from each secret that may open them."""

import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.core.keys import Secrets
from service.keys.encoding import Unfit, decoded, encoded

NONCE_BYTES = 12
"""What AES-GCM wants (NIST SP 800-38D §8.2.1); random, for each key is encrypted a few times."""

Seals = dict[str, str]
"""The same private part under several secrets, by their ids."""


class Safe:
    """Seals private parts with AES-256-GCM, and opens them.

    The key's name and algorithm are sealed along, so no private part can be put in another's
    place. A part that more than one secret may open has a seal for each. ``use`` says whose safe
    it is: no other opens what it sealed.
    """

    def __init__(self, secrets: Secrets, use: str = "key ring") -> None:
        ids = (raw.hex() for raw in secrets.derive(f"{use} id", 8))
        self._boxes = dict(zip(ids, map(AESGCM, secrets.derive(use)), strict=True))

    def seal(self, kid: str, algorithm: str, private: bytes) -> str:
        """``private`` sealed under every secret, as JSON."""
        bound = _bound(kid, algorithm)
        return json.dumps({name: _sealed(box, private, bound) for name, box in self._boxes.items()})

    def open(self, kid: str, algorithm: str, sealed: str) -> bytes:
        """Raises: Unfit, when no secret of ours opens it."""
        seals: Seals = json.loads(sealed)
        for name in self._boxes.keys() & seals.keys():
            raw = decoded(seals[name])
            try:
                return self._boxes[name].decrypt(
                    raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(kid, algorithm)
                )
            except InvalidTag:
                continue
        raise Unfit("no secret of ours opens the private part")

    def completed(self, kid: str, algorithm: str, sealed: str) -> str | None:
        """``sealed`` with the seals of ours that it lacks; None when it lacks none, or can't be."""
        seals: Seals = json.loads(sealed)
        lacking = self._boxes.keys() - seals.keys()
        if not lacking or not self._boxes.keys() & seals.keys():
            return None
        private, bound = self.open(kid, algorithm, sealed), _bound(kid, algorithm)
        more = {name: _sealed(self._boxes[name], private, bound) for name in lacking}
        return json.dumps(seals | more)


def _sealed(box: AESGCM, private: bytes, bound: bytes) -> str:
    nonce = os.urandom(NONCE_BYTES)
    return encoded(nonce + box.encrypt(nonce, private, bound))


def _bound(kid: str, algorithm: str) -> bytes:
    return f"{algorithm} {kid}".encode()
