"""Service accounts: machine clients and the secrets they sign in with."""
