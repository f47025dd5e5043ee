"""Images kept: SQLite, PNG files with their recipe inside, thumbnails."""
