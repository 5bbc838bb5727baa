"""Learning: the data, how it is varied, and the loop that trains any `Learner` on it."""
