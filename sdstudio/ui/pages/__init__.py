"""The pages of the window, each a package of its own that knows no other page."""
