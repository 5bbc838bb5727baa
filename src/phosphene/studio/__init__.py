"""Recipes and running them. Start reading at `run.py`."""
