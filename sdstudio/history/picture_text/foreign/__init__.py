"""Pictures that other programs made: who made them, and what of it the studio can do."""
