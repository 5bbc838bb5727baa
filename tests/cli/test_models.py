import pytest

from phosphene.cli.models import _foundations
from phosphene.zoo.download import Progress
from phosphene.zoo.registry import shipped_cards


def test_a_line_a_model(phosphene):
    said = phosphene("models")
    assert said.code == 0
    rows = [line.split("\t") for line in said.out.splitlines()]
    assert {len(row) for row in rows} == {8}
    names = [row[0] for row in rows]
    tiny = ["tiny-diffusion", "tiny-judge", "tiny-text", "tiny-tokens", "tiny-vqgan"]
    assert names == [*(card.name for card in shipped_cards()), *tiny]
    assert rows[-1][1:4] == ["tokens", "16 px", "0 MB"]
    assert rows[-1][-1] == "yes"


def test_a_table_on_a_terminal(phosphene, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    said = phosphene("models")
    assert said.code == 0
    for column in ("name", "family", "licence", "trained"):
        assert column in said.out
    assert "tiny-vqgan" in said.out


def test_a_broken_card_does_not_hide_the_others(phosphene, home):
    folder = home / "models" / "broken"
    folder.mkdir()
    (folder / "card.toml").write_text("name = \x1b")
    try:
        said = phosphene("models")
    finally:
        (folder / "card.toml").unlink()
        folder.rmdir()
    assert said.code == 0
    assert "tiny-vqgan" in said.out
    assert "cannot read the card" in said.err
    assert said.err.count("\n") == 1


def test_info(phosphene):
    said = phosphene("models", "info", "tiny-vqgan")
    assert said.code == 0
    for line in ("name: tiny-vqgan", "licence: none", "trained_on: nothing", "here: yes"):
        assert line in said.out.splitlines()
    missing = phosphene("models", "info", "tiny-vqgn")
    assert missing.code == 2
    assert "did you mean 'tiny-vqgan'" in missing.err


def test_pull_shows_progress(phosphene, monkeypatch):
    asked = []

    def pulling(name, home):
        asked.append(name)
        yield from (Progress(name, done, 4_000_000) for done in (0, 2_000_000, 4_000_000))

    monkeypatch.setattr("phosphene.zoo.fetch.pull", pulling)
    said = phosphene("models", "pull", "tiny-vqgan")
    assert (said.code, said.out, said.err) == (0, "", "tiny-vqgan: here, 4 MB\n")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert phosphene("models", "pull", "--embedded").code == 0
    assert asked == ["tiny-vqgan", *_foundations()]


def test_pull_of_what_is_here_already(phosphene):
    assert phosphene("models", "pull", "tiny-vqgan").err == "tiny-vqgan: here, 0 MB\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pull",), "name one model, or give --embedded"),
        (("pull", "x", "--embedded"), "name one model, or give --embedded"),
        (("pull", "tiny-vqgn"), "did you mean 'tiny-vqgan'"),
        (("info", "\x1b[2J"), "unknown model"),
        (("convert", "ldm", "a", "b", "--name", "c"), "cannot convert 'ldm'"),
        (("convert", "taming", "a", "b"), "--name"),
        (("convert", "taming", "a", "--name", "c"), "needs a second file: the .yaml"),
        (("convert", "biggan", "a", "--name", "../c"), "cannot be a model's name"),
        (("convert", "stylegan2", "a", "b", "--name", "c"), "describes itself; leave 'b' out"),
    ],
)
def test_mistakes(phosphene, arguments, said):
    answer = phosphene("models", *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert answer.err[:-1].isprintable()


def test_a_latent_diffusion_is_exported_for_diffusers(phosphene, tmp_path):
    folder = tmp_path / "for-diffusers"
    said = phosphene("models", "export", "tiny-diffusion", str(folder))
    assert (said.code, said.out.strip()) == (0, str(folder)), said.err
    assert sorted(path.name for path in folder.iterdir()) == [
        "phosphene.json",
        "scheduler",
        "transformer",
    ]
    again = phosphene("models", "export", "tiny-diffusion", str(folder))
    assert (again.code, "is there already" in again.err) == (1, True)
    other = phosphene("models", "export", "tiny-vqgan", str(tmp_path / "no"))
    assert "is no latent diffusion of phosphene's" in other.err
    assert not (tmp_path / "no").exists()
