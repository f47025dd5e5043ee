"""Files of weights: read piece by piece, out of pickles, and what a part's configuration may hold."""
