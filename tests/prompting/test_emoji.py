"""Emoji names: sequences, tones, flags, and text that is none of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.prompting.emoji import EmojiNames

NAMES = EmojiNames.load()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Oregon 💚 | painting", "Oregon green heart | painting"),
        ("💚💚", "green heart green heart"),
        ("❤️", "red heart"),
        ("❤", "red heart"),
        ("👩‍🚀", "woman astronaut"),
        ("👩🏽‍🚀", "woman astronaut: medium skin tone"),
        ("👋🏿!", "waving hand: dark skin tone !"),
        ("👱🏻", "person: blond hair, light skin tone"),
        ("👩🏽‍🤝‍👨🏿", "woman and man holding hands: medium skin tone, dark skin tone"),
        ("👩‍🦖", "woman T-Rex"),
        ("🇫🇷", "flag: France"),
        ("🇽🇿", "flag: XZ"),
        ("🇦", "A"),
        ("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "flag: Scotland"),
        ("🏴\U000e0075\U000e0073\U000e0074\U000e0078\U000e007f", "black flag"),
        ("1️⃣ 1", "keycap: 1 1"),
    ],
)
def test_names(text: str, wanted: str) -> None:
    assert " ".join(NAMES.translate(text).split()) == wanted


@given(st.text(alphabet=st.characters(codec="ascii")))
def test_plain_text_is_left_alone(text: str) -> None:
    assert NAMES.translate(text) == text


@given(st.text())
def test_any_text(text: str) -> None:
    NAMES.translate(text)


@given(st.text(alphabet="💚👩🏽🚀\u200d🇫🇷\ufe0f🏴\U000e0067a"))
def test_any_sequence_of_parts_loses_no_emoji(text: str) -> None:
    translated = NAMES.translate(text)
    assert translated.count("green heart") == text.count("💚")
    assert not set(translated) & set("💚👩🏽🚀🏴\ufe0f🇫🇷")
