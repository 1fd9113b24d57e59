"""Forge's own version."""

version = "2.0.1v1.10.1"
