"""Wandering in latent spaces: geometry, paths, breeding, directions, inversion. Knows no model."""
