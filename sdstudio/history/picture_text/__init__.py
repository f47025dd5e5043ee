"""The text in a picture's file that records how it was made: reading and writing."""
