"""Notifications: what people are told, in an inbox and by mail."""
