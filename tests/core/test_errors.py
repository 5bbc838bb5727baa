"""The tree of errors: what the command line returns, and names that were nearly right."""

import inspect

import pytest

from phosphene.core import errors
from phosphene.core.errors import PhospheneError, RecipeError, did_you_mean

TREE = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
}


@pytest.mark.parametrize("name", TREE)
def test_every_error_is_in_the_tree_and_explains_itself(name):
    kind = TREE[name]
    assert issubclass(kind, PhospheneError)
    assert kind.__doc__
    assert name in errors.__doc__


@pytest.mark.parametrize("name", TREE)
def test_users_mistakes_exit_with_2_and_failures_with_1(name):
    kind = TREE[name]
    assert kind.exit_code == (2 if issubclass(kind, RecipeError) else 1)
    assert issubclass(kind, ValueError) == issubclass(kind, RecipeError)


def test_did_you_mean_names_the_nearest():
    known = ["faces-dcgan", "emoji-vqgan", "emoji-clip"]
    assert did_you_mean("fases-dcgan", known) == "; did you mean 'faces-dcgan'?"
    assert did_you_mean("emoji_clip", iter(known)) == "; did you mean 'emoji-clip'?"


@pytest.mark.parametrize("name", ["", "zzz", "💚", "x" * 10_000])
def test_did_you_mean_stays_silent_when_nothing_is_near(name):
    assert did_you_mean(name, ["faces-dcgan", "emoji-vqgan"]) == ""


def test_did_you_mean_of_nothing_known():
    assert did_you_mean("emoji-clip", []) == ""
