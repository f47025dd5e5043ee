"""SD Studio: a native desktop studio for Stable Diffusion."""

__version__ = "0.2.0"
