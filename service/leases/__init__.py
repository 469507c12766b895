"""Who, of all processes, does what must be done once."""
