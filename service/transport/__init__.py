"""What all handlers of one door share, and the one table of refusals."""
