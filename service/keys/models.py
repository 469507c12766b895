"""The key ring's table."""

from tortoise import fields
from tortoise.models import Model

from service.core.clock import utc_now


class SigningKey(Model):
    """One key of the ring that signs, signed or will sign access tokens.

    Its life: published (``signs_from`` is null), signing (the key of its algorithm with the latest
    ``signs_from``), good for verifying until ``expires_at``, which is so far off as the tokens last
    that it signed: ``token_seconds``, the most of all workers. ``public`` is its JWK as JSON, null
    for a symmetric one. ``sealed`` is the private part, encrypted under a key derived from each
    secret that may open it: JSON, by the secret's id. Null means that the configured secret whose
    id is in ``kid`` is itself the key.
    """

    kid = fields.CharField(max_length=64, primary_key=True)
    algorithm = fields.CharField(max_length=16)
    public = fields.TextField(null=True)
    sealed = fields.TextField(null=True)
    created_at = fields.DatetimeField(default=utc_now)
    signs_from = fields.DatetimeField(null=True)
    token_seconds = fields.IntField(null=True)
    expires_at = fields.DatetimeField(null=True)

    class Meta:
        table = "signing_keys"

    def __repr__(self) -> str:
        return f"<SigningKey {self.kid}>"
