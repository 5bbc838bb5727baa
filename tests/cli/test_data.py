from pathlib import Path

from phosphene.core.errors import MissingTool
from phosphene.core.protocols import Step


def test_emoji(phosphene, monkeypatch):
    asked = []

    def build(out, size, workers):
        asked.append((str(out), size))
        yield Step(0, 1, None, {"sprites": 32.0})

    monkeypatch.setattr("phosphene.training.emoji.build_emoji", build)
    said = phosphene("data", "emoji", "data/emoji", "--size", "64")
    assert (said.code, said.out) == (0, "data/emoji\n")
    assert said.err == "drawing: 1/1 sprites 32\n"
    assert asked == [("data/emoji", 64)]


def test_without_npm(phosphene, monkeypatch):
    def build(*_: object, **__: object):
        raise MissingTool("npm is not installed; install Node.js and try again")
        yield

    monkeypatch.setattr("phosphene.training.emoji.build_emoji", build)
    said = phosphene("data", "emoji", "data/emoji")
    assert (said.code, said.err) == (
        1,
        "phosphene: npm is not installed; install Node.js and try again\n",
    )


def test_mistakes(phosphene):
    Path("full").mkdir()
    (Path("full") / "x").touch()
    for arguments, said in [(("full",), "not an empty folder"), (("x", "--size", "3"), "size 3")]:
        answer = phosphene("data", "emoji", *arguments)
        assert answer.code == 2
        assert said in answer.err


def test_digits(phosphene, monkeypatch):
    def build(out):
        yield Step(0, 1, None, {"pictures": 1797.0})

    monkeypatch.setattr("phosphene.training.digits.build_digits", build)
    said = phosphene("data", "digits", "data/digits")
    assert (said.code, said.out) == (0, "data/digits\n")
    assert said.err == "writing: 1/1 pictures 1797\n"


def test_glyphs(phosphene, monkeypatch):
    def build(out):
        yield Step(0, 1, None, {"pictures": 4536.0})

    monkeypatch.setattr("phosphene.training.glyphs.build_glyphs", build)
    said = phosphene("data", "glyphs", "data/glyphs")
    assert (said.code, said.out) == (0, "data/glyphs\n")
    assert said.err == "setting: 1/1 pictures 4536\n"
