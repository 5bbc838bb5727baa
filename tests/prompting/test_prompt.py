"""The prompt language: examples for each rule, and canonical text that reads back as itself."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import RecipeError
from phosphene.prompting.emphasis import Span
from phosphene.prompting.prompt import Phrase, Story, clean, parse, with_phrase


def only(text: str) -> Phrase:
    """The single phrase of a prompt."""
    ((phrase,),) = parse(text).scenes
    return phrase


@pytest.mark.parametrize(
    ("written", "what", "weight", "stop"),
    [
        ("green heart", "green heart", 1, -math.inf),
        ("green heart:2", "green heart", 2, -math.inf),
        ("green heart:-0.5:0.1", "green heart", -0.5, 0.1),
        ("  green\t heart : 2 ", "green heart : 2", 1, -math.inf),
        ("green heart :2", "green heart", 2, -math.inf),
        ("a: b:2", "a: b", 2, -math.inf),
        ("a:b", "a:b", 1, -math.inf),
        ("a:b:2", "a:b", 2, -math.inf),
        ("a:1:2:3", "a:1", 2, 3),
        ("a:", "a:", 1, -math.inf),
        ("a::2", "a:", 2, -math.inf),
        ("a:+.5e1:1.", "a", 5, 1),
        ("a:2:-inf", "a", 2, -math.inf),
        ("Blade Runner: 2049", "Blade Runner: 2049", 1, -math.inf),
        ("1984:2", "1984", 2, -math.inf),
        ("١:٢", "١:٢", 1, -math.inf),
        # clock times
        ("at 10:30", "at 10:30", 1, -math.inf),
        ("10:30:45", "10:30:45", 1, -math.inf),
        ("at 10:30:2", "at 10:30", 2, -math.inf),
        ("at 10:30:2:.5", "at 10:30", 2, 0.5),
        ("catch 22:15.0", "catch 22", 15, -math.inf),
        ("top 10:5", "top 10", 5, -math.inf),
        ("2049:20", "2049", 20, -math.inf),
        ("cat:1:10", "cat", 1, 10),
        # URLs and smileys
        ("http://a.b/c.png", "http://a.b/c.png", 1, -math.inf),
        ("see http://localhost:8080", "see http://localhost:8080", 1, -math.inf),
        ("http://localhost:8080:2", "http://localhost:8080", 2, -math.inf),
        ("http://a.b/c:2", "http://a.b/c", 2, -math.inf),
        (":3", ":3", 1, -math.inf),
        (".png", ".png", 1, -math.inf),
    ],
)
def test_texts(written: str, what: str, weight: float, stop: float) -> None:
    assert only(written) == Phrase(text=what, weight=float(weight), stop=float(stop))


@pytest.mark.parametrize(
    ("written", "path", "weight"),
    [
        ("cat.png", "cat.png", 1),
        (" my  cats/Cat 1.JPG :-2", "my  cats/Cat 1.JPG", -2),
        ("C:\\cats\\a.webp:2", "C:\\cats\\a.webp", 2),
        ("a:1.jpeg", "a:1.jpeg", 1),
    ],
)
def test_images(written: str, path: str, weight: float) -> None:
    assert only(written) == Phrase(image=path, weight=float(weight))


def test_text_after_a_file_name_is_text() -> None:
    assert only("cat.png in a hat").text == "cat.png in a hat"


def test_scenes_and_phrases() -> None:
    story = parse("| green heart | flat:0.5 || ^ ^ frog ^")
    green, flat, frog = Phrase("green heart"), Phrase("flat", weight=0.5), Phrase("frog")
    assert story == Story(((green, flat), (frog,)))
    assert str(story) == "green heart | flat:0.5 ^ frog"
    assert [story.scene(i) for i in range(3)] == [(green, flat), (frog,), (green, flat)]


def test_odd_characters() -> None:
    assert only("\ufeffa\x00\n\u2003b\x7f").text == "\ufeffa b"
    assert only("\ud83d").text == "\ufffd"
    assert only("cafe\u0301").text == "café"
    family = "👨‍👩‍👧"
    assert only(family).text == family


@pytest.mark.parametrize("text", ["", " ", "|", "^", "| ^ \n|\x00", "|" * 10_000])
def test_only_separators(text: str) -> None:
    with pytest.raises(RecipeError, match="has no words") as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "text",
    ["a:nan", "a:inf", "a:-inf", "a:1e999", "a:1:inf", "a:1:nan", "a:0", "a:0 | b:-0.0", "a ^ b:0"],
)
def test_useless_numbers(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [{}, {"text": ""}, {"text": "a", "image": "b.png"}, {"text": "a|b"}, {"image": "a^.png"}],
)
def test_no_such_phrase(values: dict[str, str]) -> None:
    with pytest.raises(RecipeError):
        Phrase(**values)


@pytest.mark.parametrize("scenes", [(), ((),), ((Phrase("a"),), ())])
def test_no_such_story(scenes: tuple[tuple[Phrase, ...], ...]) -> None:
    with pytest.raises(RecipeError):
        Story(scenes)


def test_long_prompts_are_read_quickly() -> None:
    assert only("x" * 10_000).text == "x" * 10_000
    assert len(parse("a:1|" * 2_500).scenes[0]) == 2_500
    only("a://" * 2_500)
    only("1:" * 5_000)


# characters that the grammar cares about, and any others
TRICKY = st.text(
    st.sampled_from("ab 0123456789:.:|^-+e\n\x00nif/png") | st.characters(), max_size=40
)


@given(TRICKY)
def test_canonical_text_reads_back(text: str) -> None:
    try:
        story = parse(text)
    except RecipeError:
        return
    assert parse(str(story)) == story
    assert str(parse(str(story))) == str(story)


@given(
    st.sampled_from(
        ["a", "a:2", "at 10:30", "10", ":3", "http://x:80", "http://x", "a:nan", "p.png x"]
    ),
    st.floats(allow_nan=False, allow_infinity=False).filter(bool) | st.integers(1, 99).map(float),
    st.floats(allow_nan=False, max_value=1e300) | st.integers(0, 99).map(float),
)
def test_every_phrase_has_a_spelling(text: str, weight: float, stop: float) -> None:
    story = Story(((Phrase(text, weight=weight, stop=stop),),))
    assert parse(str(story)) == story


BRACKETED = st.text(
    st.sampled_from("ab ()[]\\0123:.:|^-png") | st.characters(), min_size=1, max_size=30
)


@given(BRACKETED)
def test_emphasised_text_reads_back(text: str) -> None:
    try:
        story = parse(text).emphasised()
    except RecipeError:
        return
    assert parse(str(story)).emphasised() == story


@pytest.mark.parametrize("text", ["(cat.png:1)", "(cat.png)", "(a:2:1)", "(at 10:30:1)", "(a:1)"])
def test_emphasised_words_that_look_like_something_else(text: str) -> None:
    story = parse(text).emphasised()
    assert story.scenes[0][0].image is None
    assert parse(str(story)).emphasised() == story


def test_brackets_stay_text_until_they_are_read() -> None:
    (phrase,) = parse("a (red:1.5) apple:2:0.1").scenes[0]
    assert (phrase.text, phrase.weight, phrase.stop) == ("a (red:1.5) apple", 2, 0.1)
    assert phrase.words == (Span("a (red:1.5) apple"),)
    read = phrase.emphasised()
    assert (read.text, read.weight, read.stop) == ("a red apple", 2, 0.1)
    assert read.words == (Span("a "), Span("red ", 1.5), Span("apple"))
    assert read.emphasised() == read
    assert str(read) == "a (red:1.5) apple:2:0.1"


def test_text_without_brackets_and_pictures_have_nothing_to_read() -> None:
    for text in ("red apple:2", "my (cat).png"):
        (phrase,) = parse(text).scenes[0]
        assert phrase.emphasised() is phrase
    assert only("my (cat).png").words == ()


def test_a_phrase_that_is_emphasised_as_a_whole_weighs_more() -> None:
    assert only("(red apple:1.5):2").emphasised().pull == 3
    assert only("(red:1.5) apple:2").emphasised().pull == 2
    assert only("[red apple]").emphasised().pull == 1 / 1.1
    with pytest.raises(RecipeError, match="all weights are 0"):
        parse("(red apple:0)").emphasised()


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    clean(text).encode()


def test_a_phrase_is_added_to_each_scene() -> None:
    assert with_phrase("a | b ^c", "neon:2") == "a | b | neon:2 ^ c | neon:2"
    assert parse(with_phrase("a ^ b", " ")) == parse("a ^ b")
