"""What differs between families of models while a picture is drawn."""
