-- Version 0: a file of no bytes, as SQLite leaves it when the program is killed before the first table.
PRAGMA user_version = 0;
