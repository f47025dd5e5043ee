"""Widgets that know nothing of the studio's data."""
