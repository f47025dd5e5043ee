"""From prompts to what guides the denoiser."""
