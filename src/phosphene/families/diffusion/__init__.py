"""Pictures out of noise, step by step, as words say: diffusion and flow models."""
