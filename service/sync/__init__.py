"""Directory sync: every user pushed to the systems that keep a copy."""
