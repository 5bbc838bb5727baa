"""Alternatives: each rule by example, combinations against itertools, any text is read."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.prompting.alternatives import (
    combination,
    combinations,
    expand,
    has_alternatives,
    num_combinations,
    num_scenes,
)
from phosphene.prompting.prompt import parse

TRICKY = st.text(st.sampled_from("ab {}|^\\:") | st.characters(), max_size=40)


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("apple", ["apple"]),
        ("{apple|heart}", ["apple", "heart"]),
        ("a {b|c}:2 | d", ["a b:2 | d", "a c:2 | d"]),
        ("{|very }big cat", ["big cat", "very big cat"]),
        ("{a|}{1|2}", ["a1", "a2", "1", "2"]),
        ("{a {red|blue} b|c}", ["a red b", "a blue b", "c"]),
        ("{{a|b}|{c|d}}", ["a", "b", "c", "d"]),
        ("{a|a}", ["a", "a"]),
        (
            "{(red:1.5)|b:2:0.1} ^ {c|d.png}",
            ["(red:1.5) ^ c", "(red:1.5) ^ d.png", "b:2:0.1 ^ c", "b:2:0.1 ^ d.png"],
        ),
        # text
        ("{a}", ["{a}"]),
        ("{a {b} |c}", ["a {b} ", "c"]),
        ("{", ["{"]),
        ("a } b | {c", ["a } b | {c"]),
        ("{a | b", ["{a | b"]),
        ("{x {a|b}", ["{x a", "{x b"]),
        ("{a ^ b|c}", ["{a ^ b|c}"]),
        (r"{a \^ b|c}", [r"{a \^ b|c}"]),
        # escapes
        (r"\{a|b\}", ["{a|b}"]),
        (r"{a\}|b}", ["a}", "b"]),
        (r"{fox \| neon|owl}", ["fox | neon", "owl"]),
        (r"fox \| {a|b}", [r"fox \| a", r"fox \| b"]),
        (r"{\(a\)|\\b}", [r"\(a\)", r"\\b"]),
        (r"\\{a|b}", [r"\\a", r"\\b"]),
        ("\\", ["\\"]),
    ],
)
def test_combinations(text, prompts):
    assert list(combinations(text)) == prompts
    assert num_combinations(text) == len(prompts)
    assert has_alternatives(text) == (len(prompts) > 1)
    for prompt in prompts:
        parse(prompt)


def test_bars_in_braces_do_not_separate_phrases():
    ((phrase, style),) = parse(combination("{red|blue} apple | neon", 1)).scenes
    assert (phrase.text, style.text) == ("blue apple", "neon")


def test_all_are_the_product():
    sets = [["a", "b"], ["c", "d", "e"], ["", "f"]]
    text = "".join(f"{{{'|'.join(names)}}}" for names in sets)
    assert list(combinations(text)) == ["".join(names) for names in itertools.product(*sets)]
    with pytest.raises(IndexError):
        combination(text, 12)


def test_the_chooser_is_asked_for_what_it_meets():
    asked = []

    def last(count):
        asked.append(count)
        return count - 1

    assert expand("{a|b|c} {x|{1|2|3|4}} {{5|6}|y}", last) == "c 4 y"
    assert asked == [3, 2, 4, 2]


def test_each_alternative_comes_up_as_often():
    dice = random.Random(0)
    drawn = [expand("{a|b|{c|d}}", dice.randrange) for _ in range(800)]
    shares = {name: drawn.count(name) / 800 for name in "abcd"}
    assert shares == pytest.approx({"a": 1 / 3, "b": 1 / 3, "c": 1 / 6, "d": 1 / 6}, abs=0.05)


@given(TRICKY, st.integers(0, 2**32))
def test_whatever_is_chosen_is_one_of_all(text, seed):
    expanded = expand(text, random.Random(seed).randrange)
    count = num_combinations(text)
    assert has_alternatives(text) or count == 1
    if count <= 64:
        assert expanded in list(combinations(text))


@given(st.text(st.characters(exclude_characters="{}\\"), max_size=40))
def test_text_without_braces_is_itself(text):
    assert expand(text, lambda count: 0) == text


@given(st.recursive(st.text("ab ", max_size=3), lambda inner: st.lists(inner, max_size=3)))
def test_nested_groups_count_as_their_parts(tree):
    def spelled(node):
        return node if isinstance(node, str) else "{" + "|".join(map(spelled, ["", *node])) + "|}"

    def count(node):
        return 1 if isinstance(node, str) else 2 + sum(map(count, node))

    assert num_combinations(spelled(tree)) == count(tree)


def test_long_texts_are_read_quickly():
    assert num_combinations("{a|b}" * 4000) == 2**4000
    deep = "{a|" * 5000 + "b" + "}" * 5000
    assert num_combinations(deep) == 5001
    assert combination(deep, 5000) == "b"
    assert num_combinations("{" * 20_000) == num_combinations("{a|" * 6000) == 1


@pytest.mark.parametrize(
    ("text", "count"), [("a", 1), ("a ^ b", 2), ("{|a} ^ b", 2), ("a ^ | ^ b", 2), ("|", 1)]
)
def test_scenes_are_counted_whatever_is_chosen(text, count):
    assert num_scenes(text) == count
