"""The model picker of the Create page."""
