"""What a prompt names, and where: closed forms for the English of composed scenes."""

import pytest

from phosphene.nn.layout import (
    ASIDE,
    FULL,
    HALF,
    SMALL,
    THIRD,
    TINY,
    Manner,
    Thing,
    read_layout,
    read_manner,
)


@pytest.mark.parametrize(
    "text",
    ["a fox", "smiling face with sunglasses", "fish under water", "an owl in the snow", "", "🦊"],
)
def test_what_names_one_thing_is_one_in_the_middle(text) -> None:
    assert read_layout(text) == (Thing(text, FULL, 0.5, 0.5),)


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("a red apple next to a blue book", "a red apple", "a blue book"),
        ("a fox beside an owl", "a fox", "an owl"),
        ("a fox and an owl in the snow", "a fox", "an owl in the snow"),
        ("a fox to the left of an owl", "a fox", "an owl"),
        ("an owl to the right of a fox", "a fox", "an owl"),
        ("A fox on the left and an owl on the right", "A fox", "an owl"),
        ("an owl on the right, and a fox on the left", "a fox", "an owl"),
    ],
)
def test_two_stand_side_by_side(text, left, right) -> None:
    things = {thing.words: thing for thing in read_layout(text)}
    assert things[left] == Thing(left, HALF, 0.25, 0.5)
    assert things[right] == Thing(right, HALF, 0.75, 0.5)


@pytest.mark.parametrize(
    ("text", "top", "bottom"),
    [
        ("a mushroom above a frog", "a mushroom", "a frog"),
        ("a cat on top of the box", "a cat", "the box"),
        ("a frog below a mushroom", "a mushroom", "a frog"),
        ("a frog under the mushroom", "the mushroom", "a frog"),
    ],
)
def test_two_stand_one_above_the_other(text, top, bottom) -> None:
    things = {thing.words: thing for thing in read_layout(text)}
    assert things[top] == Thing(top, HALF, 0.5, 0.25)
    assert things[bottom] == Thing(bottom, HALF, 0.5, 0.75)


@pytest.mark.parametrize(
    "text",
    [
        "a fox, an owl and a bee",
        "a fox on the left, an owl in the middle and a bee on the right",
    ],
)
def test_three_stand_in_a_row(text) -> None:
    things = read_layout(text)
    assert [thing.words for thing in things] == ["a fox", "an owl", "a bee"]
    assert [thing.x for thing in things] == pytest.approx([1 / 6, 1 / 2, 5 / 6])
    assert {(thing.side, thing.y) for thing in things} == {(THIRD, 0.5)}


def test_sizes_and_places_of_one() -> None:
    assert read_layout("a small fox") == (Thing("a small fox", SMALL),)
    assert read_layout("a tiny fox")[0].side == TINY
    (corner,) = read_layout("a fox in the top left corner")
    assert corner == Thing("a fox", ASIDE, ASIDE / 2, ASIDE / 2)
    (below,) = read_layout("a small cactus at the bottom")
    assert below == Thing("a small cactus", SMALL, 0.5, 1 - SMALL / 2)
    (right,) = read_layout("a fox on the right in the snow")
    assert (right.words, right.x, right.y) == ("a fox in the snow", 1 - ASIDE / 2, 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "a fox, an owl and a bee",
        "a fox and an owl",
        "a fox at the bottom right",
        "a fox above a bee",
    ],
)
def test_nothing_stands_outside_or_over_another(text) -> None:
    boxes = [
        (t.x - t.side / 2, t.x + t.side / 2, t.y - t.side / 2, t.y + t.side / 2)
        for t in read_layout(text)
    ]
    assert all(-1e-9 <= edge <= 1 + 1e-9 for box in boxes for edge in box)
    for i, (left, right, top, bottom) in enumerate(boxes):
        for other in boxes[:i]:
            apart = right <= other[0] or other[1] <= left or bottom <= other[2] or other[3] <= top
            assert apart


@pytest.mark.parametrize(
    ("text", "things", "before", "after"),
    [
        ("a fox and an owl", "a fox and an owl", "", ""),
        ("a sketch of a fox and an owl", "a fox and an owl", "a sketch of ", ""),
        ("an oil painting of a fox", "a fox", "an oil painting of ", ""),
        ("a cup of tea next to a book", "a cup of tea next to a book", "", ""),
        ("a fox and an owl, stained glass", "a fox and an owl", "", ", stained glass"),
        ("a fox, an owl and a bee", "a fox, an owl and a bee", "", ""),
        ("a fox in the style of pop art", "a fox", "", " in the style of pop art"),
    ],
)
def test_the_manner_is_of_all_things(text, things, before, after) -> None:
    assert read_manner(text) == (things, Manner(before, after))
