"""`phosphene invert`: mistakes cost one line; the rest is in tests/studio/test_invert.py."""

from pathlib import Path

import pytest

from tests.studio.gan_kinds import save_kind


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no photo; for example"),
        (("none.jpg",), "cannot read 'none.jpg'"),
        (("text.jpg",), "not a picture in a known format"),
        (("text.jpg", "--space", "class"), "space: 'class'"),
        (("text.jpg", "--video", "avi"), "video: 'avi'"),
        (("text.jpg", "-i", "0"), "iterations: 0"),
        (("text.jpg", "-o", "x.jpg"), "written as .png"),
    ],
)
def test_mistakes(phosphene, arguments, message):
    model = save_kind(Path(), "dcgan")
    Path("text.jpg").write_text("no picture")
    said = phosphene("invert", *arguments, "--model", model)
    assert said.code == 2
    assert message in said.err
    assert not list(Path().glob("*.png"))


def test_the_fields_are_told(phosphene):
    assert "num_starts = 4" in phosphene("invert", "--set", "help").out
