"""From a name on the hub to a picture and its replay, with nothing but commands."""

import re
import socket
from pathlib import Path

import pytest

from phosphene.core.checksum import sha256_of
from phosphene.studio.artifact import read_artifact
from tests.cli.conftest import Command
from tests.prompting.published_folders import make_clip, make_siglip
from tests.studio.fakes import make_zoo
from tests.zoo.hub_server import point_client_to, serving

REPO = "org/tiny-clip"


def forbidden(*_: object) -> None:
    raise AssertionError("something asked the network")


@pytest.mark.slow
def test_pull_imagine_replay(
    phosphene: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PHOSPHENE_HOME", str(make_zoo(tmp_path / "home").home))
    make_siglip(Path("my-siglip"), 24)
    published = make_clip(tmp_path / "published", 32)
    capsys.readouterr()  # transformers draws a bar while it saves
    paint = ("imagine", "green heart", "--model", "tiny-vqgan", "-i", "3", "--seed", "7")
    paint += ("--set", f"perceptors={REPO}:1,./my-siglip:0.5", "--set", "num_cutouts=2")

    said = phosphene(*paint, "-o", "a.png")
    assert said.code == 2
    assert f"`phosphene models pull {REPO}`" in said.err
    assert said.err.count("\n") == 1

    with serving() as hub:
        point_client_to(hub, monkeypatch)
        hub.add(REPO, {path.name: path.read_bytes() for path in published.iterdir()})
        said = phosphene("models", "pull", REPO)
        assert (said.code, said.out) == (0, "")
        assert re.fullmatch(r"org--tiny-clip: here, \d MB\n", said.err)

    # no HF_HUB_OFFLINE any more, as on people's machines: what was pulled asks nobody
    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    assert "Hugging Face org/tiny-clip" in phosphene("models", "info", REPO).out
    assert phosphene(*paint, "-o", "a.png").code == 0
    weights = sha256_of(published / "model.safetensors")
    assert read_artifact(Path("a.png")).manifest.models[REPO] == weights
    said = phosphene("replay", "a.png")
    assert said.code == 0
    assert "identical" in said.out
