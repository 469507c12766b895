"""Personal API keys: what a person's own programs sign in with."""
