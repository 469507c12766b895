"""Registration, log-in, sessions and tokens."""
