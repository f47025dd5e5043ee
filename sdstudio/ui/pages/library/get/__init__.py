"""Downloading models."""
