"""Keeping the history whole: backup, checks, recovery, carrying over."""
