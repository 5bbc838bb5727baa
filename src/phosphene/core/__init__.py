"""What every layer shares: latents, images, randomness, protocols, errors, safe writing."""
