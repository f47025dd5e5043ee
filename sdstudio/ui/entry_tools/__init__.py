"""Windows and dialogs that work on entries of the history, from any page."""
