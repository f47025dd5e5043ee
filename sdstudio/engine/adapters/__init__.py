"""What is attached to a loaded model: LoRA, embeddings, another VAE."""
