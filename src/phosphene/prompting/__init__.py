"""From words to a picture by optimisation: prompts, perceptors, cutouts, objectives."""
