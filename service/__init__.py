"""Arcana: users, roles and sign-in over REST and gRPC, from one set of services."""
