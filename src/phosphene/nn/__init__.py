"""Layers and networks without model names: they know tensors, not cards or files."""
