"""Models and files of models as values: what they are, how they are read, nothing that draws."""
