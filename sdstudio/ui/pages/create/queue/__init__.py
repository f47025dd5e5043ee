"""The queue: its cards, menus and times."""
