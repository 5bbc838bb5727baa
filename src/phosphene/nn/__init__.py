"""Layers without model names."""
