"""Models on disk: what they are and where they lie, without loading a weight."""
