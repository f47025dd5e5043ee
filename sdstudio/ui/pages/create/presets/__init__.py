"""Presets: saved, compared, used."""
