from pathlib import Path

from phosphene.studio.artifact import read_artifact
from phosphene.studio.recipe_text import dump_recipe
from tests.studio.fakes import tiny

TOML = """
kind = "imagine"
prompt = "green heart"
model = "tiny-vqgan"
perceptors = ["tiny-judge"]
iterations = 3
num_cutouts = 2
seed = 7
"""


def test_a_recipe_from_a_file(phosphene):
    Path("fox.toml").write_text(TOML)
    said = phosphene("run", "fox.toml", "--out", "fox.png", "--set", "width=20")
    assert said.code == 0, said.err
    assert said.out == "fox.png\n"
    assert read_artifact(Path("fox.png")).image.shape == (3, 16, 20)


def test_the_recipe_in_a_picture_is_a_recipe_file(phosphene):
    Path("fox.toml").write_text(TOML)
    phosphene("run", "fox.toml", "--out", "fox.png")
    complete = read_artifact(Path("fox.png")).manifest.recipe
    Path("again.json").write_text(dump_recipe(complete))
    phosphene("run", "again.json", "--out", "again.png")
    assert Path("again.png").read_bytes() == Path("fox.png").read_bytes()


def test_the_command_and_the_file_say_the_same(phosphene, monkeypatch):
    seen = []
    for module in ("imagine", "run"):
        monkeypatch.setattr(f"phosphene.cli.{module}.paint", lambda *given: seen.append(given[0]))
    Path("x.json").write_text(dump_recipe(tiny("x", num_cutouts=None, iterations=None)))
    phosphene("run", "x.json")
    phosphene(
        *("imagine", "x", "--model", "tiny-vqgan", "--seed", "7", "--size", "16", "16"),
        *("--set", "perceptors=tiny-judge"),
    )
    assert seen[0] == seen[1]


def test_training_recipes_are_carried_out_too(phosphene, monkeypatch):
    seen = []
    monkeypatch.setattr("phosphene.cli.run.learn", lambda *given: seen.append(given))
    Path("t.toml").write_text('kind = "train"\nlearner = "vqgan"\nsteps = 3\n')
    assert phosphene("run", "t.toml", "--set", "steps=4", "--out", "o").code == 0
    assert seen[0][0].steps == 4
    assert str(seen[0][1]) == "o"


def test_mistakes(phosphene):
    Path("bad.toml").write_text("kind = 'imagine'\nprompt = 'x'\niteratons = 3\n")
    for arguments, said in [
        (("none.toml",), "No such file"),
        (("bad.toml",), "did you mean 'iterations'"),
    ]:
        answer = phosphene("run", *arguments)
        assert answer.code == 2
        assert said in answer.err
        assert answer.err.count("\n") == 1
