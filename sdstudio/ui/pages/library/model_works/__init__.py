"""Converting and merging models."""
