"""Pictures on their way in and out of the engine: input, previews, upscaling, safety."""
