"""Models on disk: what they are and where they lie, told without loading a weight."""
