"""The family dialog: both parents are shown, and each opens its own family."""

import pytest
from nicegui.testing.user_interaction import UserInteraction

from phosphene.studio.lineage import Relative
from phosphene.web.pages.family import how
from tests.studio.studios import studio_in
from tests.studio.test_lineage import ANN, BEA, A, B, C, bred, dream
from tests.web.pages.visitor import visit


def labels(user, start):
    said = [str(e.props.get("aria-label", "")) for e in user.client.elements.values()]
    return [label for label in said if label.startswith(start)]


@pytest.mark.slow
def test_ancestors_are_shown_and_open(tmp_path, monkeypatch):
    async def what(user, studio):
        three = dream(studio, 3)
        ann = bred(studio, ANN, A, B, hung=(three,))
        bea = bred(studio, BEA, A, B, ANN, C, hung=(ann,))
        await user.open(f"/breed?model=digits-cgan&dreams=1&family={bea}")
        await user.should_see("Family of bea")
        await user.should_see("25% of the genes from the second parent")
        assert labels(user, "Family of") == ["Family of 3", "Family of ann", "Family of bea"]
        images = [e for e in user.client.elements.values() if e.tag == "img"]
        sources = [e.props.get("src", "") for e in images]
        assert "/person.png?seed=8&model=faces-dcgan" in sources  # not in the gallery
        (button,) = [
            e for e in user.client.elements.values() if e.props.get("aria-label") == "Family of ann"
        ]
        UserInteraction(user, {button}, None).click()
        await user.should_see("then mutated by 20%")
        assert labels(user, "Child ") == ["Child 1"]
        user.press("Breed with it")
        await user.until(lambda: labels(user, "Without picture"))
        assert labels(user, "Without picture") == [f"Without picture {ann[:8]}"]

    visit(tmp_path, monkeypatch, what)


def test_what_is_not_there_is_said(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(f"/breed?model=digits-cgan&dreams=1&family={'ab' * 32}")
        await user.should_see("Dreams of digits-cgan")
        assert labels(user, "Family of") == []

    visit(tmp_path, monkeypatch, what)


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        ("cross", "40% of the genes from the second parent, then mutated by 10%"),
        ("blend", "between its parents, 40% of the way to the second, then mutated by 10%"),
        ("mutate", "one parent, mutated by 40%, then mutated by 10%"),
        ("", "a sheet or a tree of several, then mutated by 10%"),
    ],
)
def test_how_somebody_came_to_be(operator, said):
    assert how(Relative("x", operator, 1, 0.4, 0.1, "m")) == said


def test_a_dream_is_its_seed(tmp_path):
    assert dream(studio_in(tmp_path), 3)
    assert how(Relative("3", "seed", 3, 0.5, 0.0, "m")) == "a dream, seed 3"
