"""Emphasis: examples of each rule, spellings that read back, nothing that crashes or is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.prompting.emphasis import (
    MOST,
    Span,
    escaped,
    plain,
    shared_weight,
    spans_of,
    spelled,
    tidied,
    without,
)

TRICKY = st.text(st.sampled_from("ab ()[]\\:.1305-e") | st.characters(), max_size=40)
SPANS = st.lists(
    st.builds(
        Span, TRICKY, st.floats(-MOST, MOST) | st.sampled_from([1.0, 1.1, 0.0, 30.0, 1e-300])
    ),
    max_size=6,
)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("red apple", [("red apple", 1)]),
        ("(red) apple", [("red ", 1.1), ("apple", 1)]),
        ("((red)) apple", [("red ", 1.1 * 1.1), ("apple", 1)]),
        ("[red] apple", [("red ", 1 / 1.1), ("apple", 1)]),
        ("a (red:1.3) apple", [("a ", 1), ("red ", 1.3), ("apple", 1)]),
        ("(red: .5 )", [("red", 0.5)]),
        ("(red:-1) apple", [("red ", -1), ("apple", 1)]),
        ("(red:0) apple", [("red ", 0), ("apple", 1)]),
        ("(a (b:2) c:3)", [("a ", 3), ("b ", 6), ("c", 3)]),
        ("([a])", [("a", 1.1 / 1.1)]),
        ("[(a:2)] b", [("a ", 2 / 1.1), ("b", 1)]),
        ("(a:b:2)", [("a:b", 2)]),
        ("((a) (b))", [("a b", 1.1 * 1.1)]),
        # literal brackets
        (r"\(red\) apple", [("(red) apple", 1)]),
        (r"a \[b\] \\ c:\d", [("[b]".join(["a ", " \\ c:\\d"]), 1)]),
        (r"(a\):2)", [("a)", 2)]),
        (r"(a\\)", [("a\\", 1.1)]),
        # unbalanced or empty brackets are text
        ("sad :(", [("sad :(", 1)]),
        (":-) (red) :-)", [(":-) ", 1), ("red ", 1.1), (":-)", 1)]),
        ("(a]", [("(a]", 1)]),
        ("[a (b] c)", [("[a ", 1), ("b] c", 1.1)]),
        ("f() g( ) h[]", [("f() g( ) h[]", 1)]),
        ("a(:2)", [("a", 1), (":2", 1.1)]),
        ("( :2) a", [("( :2) a", 1)]),
        ("(", [("(", 1)]),
        ("\\", [("\\", 1)]),
        ("", []),
        # numbers that are text
        ("(Blade Runner:2049)", [("Blade Runner:2049", 1.1)]),
        ("(at 10:30)", [("at 10:30", 1.1)]),
        ("(at 10:30:45 )", [("at 10:30:45", 1.1)]),
        ("(at 10:30:2)", [("at 10:30", 2)]),
        ("(a:x)", [("a:x", 1.1)]),
        ("(a:nan)", [("a:nan", 1.1)]),
        ("[a:1.3]", [("a:1.3", 1 / 1.1)]),
        # one space between words
        ("( red ) apple", [("red ", 1.1), ("apple", 1)]),
        ("a (b ) ( c)", [("a ", 1), ("b c", 1.1)]),
    ],
)
def test_brackets(text, spans):
    read = [(span.text, span.weight) for span in spans_of(text)]
    assert read == [(part, pytest.approx(weight)) for part, weight in spans]


def test_a_part_can_be_taken_out():
    spans = spans_of("a (red:1.5) apple (on a table:0.5)")
    assert plain(spans) == "a red apple on a table"
    assert without(spans, 1) == "a apple on a table"
    assert without(spans, 3) == "a red apple"


def test_one_weight_for_all():
    assert shared_weight(spans_of("(red apple:1.5)")) == 1.5
    assert shared_weight(spans_of("(red:1.5) (apple:1.5)")) == 1.5
    assert shared_weight(spans_of("(red:1.5) apple")) is None
    assert shared_weight(()) is None


@given(SPANS)
def test_every_emphasis_has_a_spelling(spans):
    assert spans_of(spelled(spans)) == tidied(spans)
    assert tidied(tidied(spans)) == tidied(spans)


@given(TRICKY)
def test_any_text_is_read_and_read_back(text):
    spans = spans_of(text)
    assert spans_of(spelled(spans)) == spans
    assert all(abs(span.weight) <= MOST for span in spans)
    assert plain(spans) == "".join(span.text for span in spans)


@given(TRICKY)
def test_escaped_text_is_plain(text):
    assert spans_of(escaped(text)) == tidied([Span(text)])


@given(st.text(st.characters(exclude_characters="()[]\\"), max_size=40))
def test_text_without_brackets_is_itself(text):
    assert spans_of(text) == tidied([Span(text)])


@pytest.mark.parametrize("text", ["(" * 10_000, "(" * 10_000 + "a" + ")" * 10_000, "[a" * 5000])
def test_long_texts_are_read_quickly(text):
    assert spans_of(text)


def test_weights_have_an_end():
    assert spans_of("(" * 100 + "a" + ")" * 100 + " b") == (Span("a ", MOST), Span("b"))
