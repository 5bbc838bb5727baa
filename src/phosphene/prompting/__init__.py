"""From words to a direction in image space: prompts, text towers, perceptors, objectives."""
