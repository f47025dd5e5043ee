"""Pictures in and out of the history: import, export, contact sheets."""
