"""The machine that draws: devices, memory, cancelling, and what its numbers depend on."""
