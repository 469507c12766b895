"""What ``manage.py new`` writes: a noun's files, and its lines in those that name every noun."""
