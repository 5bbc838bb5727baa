"""Data, the training loop and what watches over it. Knows no model."""
