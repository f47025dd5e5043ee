"""Pictures as files and values: opening, sizes, and the store of input pictures."""
