"""Prompts as text: grammars, templates, wildcards, styles, and the files that a prompt names."""
