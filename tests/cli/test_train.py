from pathlib import Path

import pytest

from phosphene.core.protocols import Step

TOML = 'kind = "train"\nlearner = "vqgan"\nsteps = 3\nname = "mine"\n'


@pytest.fixture
def asked(monkeypatch):
    """What the command asks `run` for; nothing is trained."""
    seen = []

    def run(recipe, zoo, device, folder, team):
        seen.append((recipe, folder))
        for index in range(3):
            yield Step(index, 3, None, {"l1": 0.5, "kimg": 1.0, "seconds_per_kimg": 2.0})

    monkeypatch.setattr("phosphene.studio.run.run", run)
    return seen


def test_a_recipe_and_data(phosphene, asked):
    Path("vq.toml").write_text(TOML)
    said = phosphene("train", "vq.toml", "data/emoji", "--set", "settings.ema=0.9")
    assert said.code == 0, said.err
    assert said.out == "phosphene-runs/train-mine/mine.safetensors\n"
    assert "training mine: 1/3 l1 0.5  kimg 1  s/kimg 2" in said.err
    recipe, folder = asked[0]
    assert recipe.data == "data/emoji"
    assert recipe.settings == {"ema": 0.9}
    assert str(folder) == "phosphene-runs/train-mine"  # stable, so that it resumes by itself


def test_where_it_goes(phosphene, asked):
    Path("vq.toml").write_text(TOML + 'output = "here"\ndata = "d=1"\n')
    phosphene("train", "vq.toml")
    phosphene("train", "vq.toml", "--out", "there")
    assert [str(folder) for _, folder in asked] == ["here", "there"]
    assert asked[0][0].data == "d=1"


def test_interrupting_says_how_to_go_on(phosphene, monkeypatch):
    def run(*_: object, **__: object):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("phosphene.studio.run.run", run)
    Path("vq.toml").write_text(TOML)
    said = phosphene("train", "vq.toml", "x")
    assert said.code == 130
    assert "goes on from phosphene-runs/train-mine" in said.err


def test_mistakes(phosphene):
    Path("vq.toml").write_text(TOML)
    Path("im.toml").write_text('kind = "imagine"\nprompt = "x"\n')
    for arguments, said in [
        (("vq.toml",), "no data to learn from"),
        (("vq.toml", "none"), "no training data at 'none'"),
        (("im.toml", "x"), "no training recipe"),
        (("vq.toml", "x", "--set", "model.chanels=3"), "no training data"),
        (("vq.toml", "x", "--set", "stepz=3"), "did you mean 'steps'"),
    ]:
        answer = phosphene("train", *arguments)
        assert answer.code == 2, answer.err
        assert said in answer.err
        assert answer.err.count("\n") == 1
    assert sorted(p.name for p in Path().iterdir()) == ["im.toml", "vq.toml"]


def test_going_back_is_said(phosphene, monkeypatch):
    def run(recipe, zoo, device, folder, team):
        yield Step(7, 9, None, {"g": 1.0})
        yield Step(4, 9, None, {"rolled_back": 4.0})

    monkeypatch.setattr("phosphene.studio.run.run", run)
    Path("vq.toml").write_text(TOML)
    said = phosphene("train", "vq.toml", "d")
    assert "the run died; it goes on from step 4, slower: see metrics.jsonl\n" in said.err
