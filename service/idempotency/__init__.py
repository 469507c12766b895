"""Creations that a client may safely ask for twice (Idempotency-Key)."""
