"""Finding models on disk and recognising what they are."""
