"""The history's database: tables, rows, searching, listing, marks."""
