"""What all REST handlers share."""
