"""The window: its menus, pages, memory, settings and how it closes."""
