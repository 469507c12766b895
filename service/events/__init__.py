"""Events on their way out: the order they get, who was told which, and who was not."""
