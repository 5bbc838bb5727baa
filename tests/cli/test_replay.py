from pathlib import Path

from PIL import Image

from phosphene.studio.artifact import Artifact, read_artifact
from tests.studio.fakes import make_zoo


def test_identical(painter, phosphene):
    painter("a", "--seed", "7", "--out", "x.png")
    said = phosphene("replay", "x.png")
    assert said.code == 0
    assert said.out == "identical\n"


def test_how_far_apart_and_why(painter, phosphene, monkeypatch, tmp_path):
    painter("a", "--seed", "7", "--out", "x.png")
    old = read_artifact(Path("x.png"))
    Artifact(old.image, old.manifest.model_copy(update={"phosphene": "0\x1b[2J"})).save(
        Path("x.png")
    )
    monkeypatch.setenv("PHOSPHENE_HOME", str(make_zoo(tmp_path / "other", seed=1).home))
    said = phosphene("replay", "x.png")
    assert said.code == 1
    first, *reasons = said.out.splitlines()
    assert first.startswith("differs: by at most ")
    assert first.endswith(" dB")
    assert reasons[0].startswith("  made by phosphene 0\\x1b[2J")
    assert len(reasons) == 3


def test_mistakes(phosphene):
    Image.new("RGB", (9, 9)).save("elsewhere.png")
    for name, said in [("none.png", "no image at"), ("elsewhere.png", "carries no phosphene")]:
        answer = phosphene("replay", name)
        assert answer.code == 2
        assert said in answer.err
        assert answer.err.count("\n") == 1
