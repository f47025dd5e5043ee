"""ComfyUI's pictures: what acts on the pixels of a graph is taken over, or reported by the name of its node."""
