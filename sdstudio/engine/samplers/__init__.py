"""Samplers: noise, noise levels and steps."""
