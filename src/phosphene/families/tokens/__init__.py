"""Pictures as grids of discrete codes."""
