"""The commands of manage.py, one module a group."""
