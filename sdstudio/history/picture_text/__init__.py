"""The text in a picture's file that tells how it was made: reading and writing."""
