"""Measurements: of which only what was measured is told."""
