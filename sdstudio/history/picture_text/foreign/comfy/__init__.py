"""ComfyUI's pictures: what acts on the pixels of a graph is taken over, or told by the name of its node."""
