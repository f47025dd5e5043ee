"""Tests; a package so that a test can say ``from tests.tiny_models import ..``."""
