"""Getting models: catalogue, hub, plans, downloads, import."""
