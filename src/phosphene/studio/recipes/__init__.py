"""Kinds of recipes, one a module: plain data, without torch. `studio/recipe.py` unites them."""
