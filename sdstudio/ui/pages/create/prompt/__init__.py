"""The prompt editor and all that helps with writing prompts."""
