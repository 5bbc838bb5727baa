"""Every field of a recipe is an option."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.cli.fields import with_changes
from phosphene.core.errors import RecipeError

OWN, FIELDS = {"--seed", "--out", "--set", "--help"}, ("tv_weight", "zoom", "seed", "mask")


def read(*arguments: str) -> list[str]:
    return with_changes(arguments, OWN, lambda: FIELDS)


@pytest.mark.parametrize(
    ("given", "read_as"),
    [
        (("--tv-weight", "0.1"), ["--set", "tv_weight=0.1"]),
        (("--tv_weight=0.1",), ["--set", "tv_weight=0.1"]),
        (("--zoom.angle", "3"), ["--set", "zoom.angle=3"]),
        (("fox", "--mask", "-1.png", "-n", "2"), ["fox", "--set", "mask=-1.png", "-n", "2"]),
        (("--mask=a=b.png",), ["--set", "mask=a=b.png"]),
        (("--seed", "3"), ["--seed", "3"]),
        (("--unknown", "3"), ["--unknown", "3"]),
        (("--", "--mask", "x"), ["--", "--mask", "x"]),
        ((), []),
    ],
)
def test_fields_become_changes(given, read_as):
    assert read(*given) == read_as


def test_a_field_needs_a_value():
    with pytest.raises(RecipeError, match="--mask needs a value"):
        read("fox", "--mask")


def test_the_recipe_is_not_imported_for_the_commands_own_options():
    def never() -> tuple[str, ...]:
        raise AssertionError

    assert with_changes(["fox", "--seed", "3"], OWN, never) == ["fox", "--seed", "3"]


@given(st.lists(st.text(max_size=8).filter(lambda word: not word.startswith("--"))))
def test_words_are_left_alone(words):
    assert read(*words) == words


def test_through_the_command(phosphene, monkeypatch):
    seen = []
    monkeypatch.setattr("phosphene.cli.imagine.paint", lambda *given: seen.append(given[0]))
    said = phosphene("imagine", "x", "--tv-weight", "0.5", "--negative-prompt=dull", "-i", "9")
    assert said.code == 0, said.err
    assert (seen[0].tv_weight, seen[0].negative_prompt, seen[0].iterations) == (0.5, "dull", 9)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--tv-weight",), "--tv-weight needs a value"),
        (("--tv-weight", "x"), "tv_weight: 'x'"),
        (("--tv-wight", "1"), "No such option: --tv-wight"),
    ],
)
def test_mistakes_are_one_line(phosphene, arguments, line):
    said = phosphene("imagine", "x", *arguments)
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert line in said.err
