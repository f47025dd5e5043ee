"""Finding models on disk and telling what they are."""
