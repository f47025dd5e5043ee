"""What is promised about speed, measured on the user's machine. Nothing stands here: timed children import it."""
