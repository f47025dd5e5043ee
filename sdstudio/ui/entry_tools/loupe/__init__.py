"""The loupe: one picture large, and the way to its neighbours."""
