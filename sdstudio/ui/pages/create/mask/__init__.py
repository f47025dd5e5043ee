"""Painting a mask over the input picture: its pixels, the tools, the page they are used on."""
