"""Models on disk: read, checked, converted, merged."""
