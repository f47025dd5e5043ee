"""Fields of a form, made from the declaration of parameters."""
