"""A package, so that `tests.typecheck` cannot be somebody else's."""
