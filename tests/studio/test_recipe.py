"""The table of all kinds of recipes."""

import pytest

from phosphene.studio.recipe import HOMES, KINDS, Painting, Recipe


def kinds_below(base: type) -> set[type]:
    """All kinds that are defined anywhere below `recipes/`."""
    found = set()
    for kind in base.__subclasses__():
        if kind.__module__.startswith("phosphene.studio.recipes."):
            found |= {kind} | kinds_below(kind)
    return found - {Painting}


def test_every_kind_is_in_the_table_under_a_name_of_its_own():
    assert kinds_below(Recipe) == set(HOMES)
    assert len(KINDS) == len(HOMES)
    assert {kind.__module__.rpartition(".")[2] for kind in HOMES} == set(KINDS)


@pytest.mark.parametrize("kind", HOMES, ids=lambda kind: kind.__name__)
def test_the_kinds_are_frozen_and_forbid_what_they_do_not_know(kind):
    assert kind.model_config["frozen"]
    assert kind.model_config["extra"] == "forbid"
