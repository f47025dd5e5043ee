"""A request: its fields, its rules, how it is checked, kept and shared."""
