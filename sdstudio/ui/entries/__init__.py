"""Entries of the history as widgets show them, wherever they are shown."""
