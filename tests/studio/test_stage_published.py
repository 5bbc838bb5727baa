"""Published perceptors, from folders, through whole runs: several at once, and again."""

import json
from collections import deque
from pathlib import Path

import pytest
import torch

from phosphene.core.checksum import sha256_of
from phosphene.core.errors import PhospheneError
from phosphene.core.runtime import painting_dtype
from phosphene.studio.artifact import Artifact
from phosphene.studio.craft import Painted
from phosphene.studio.recipe import Imagine
from phosphene.studio.recipe_text import recipe_with
from phosphene.studio.replay import replay
from phosphene.studio.run import run
from phosphene.studio.stage import set_stage
from phosphene.zoo import Zoo
from tests.prompting.published_folders import make_clip, make_siglip
from tests.studio.fakes import tiny


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a CLIP that sees 32 px and a SigLIP that sees 24."""
    root = tmp_path_factory.mktemp("published")
    make_clip(root / "org" / "my-clip", 32)
    make_siglip(root / "my-siglip", 24)
    return root


@pytest.fixture(autouse=True)
def here(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folders)


def both(weights: tuple[str, str] = (":1", ":0.5")) -> Imagine:
    """As of `--set perceptors=org/my-clip:1,./my-siglip:0.5`."""
    text = f"org/my-clip{weights[0]},./my-siglip{weights[1]}"
    return recipe_with(tiny(iterations=3), {"perceptors": text})


def painted(recipe: Imagine, zoo: Zoo) -> Artifact:
    last = deque(run(recipe, zoo), maxlen=1).pop()
    assert isinstance(last, Painted)
    assert last.artifact is not None
    return last.artifact


def test_each_looks_in_its_own_size_and_weight(zoo: Zoo) -> None:
    stage = set_stage(both(), zoo)
    seen = [(gaze.perceptor.input_size, gaze.cutouts.size, gaze.weight) for gaze in stage.gazes]
    assert seen == [(32, 32, 1.0), (24, 24, 0.5)]
    wanted = painting_dtype(torch.device("cpu"))
    for gaze in stage.gazes:
        assert gaze.perceptor.dtype == wanted


def test_a_picture_of_both_and_its_replay(zoo: Zoo, folders: Path, tmp_path: Path) -> None:
    artifact = painted(both(), zoo)
    models = artifact.manifest.models
    assert models["org/my-clip"] == sha256_of(folders / "org" / "my-clip" / "model.safetensors")
    assert models["./my-siglip"] == sha256_of(folders / "my-siglip" / "model.safetensors")
    artifact.save(tmp_path / "picture.png")
    verdict = replay(tmp_path / "picture.png", Zoo(zoo.home))
    assert verdict.identical
    assert verdict.reasons == ()


def test_a_changed_tokenizer_is_named(zoo: Zoo, tmp_path: Path) -> None:
    folder = make_siglip(tmp_path / "siglip", 24)
    recipe = tiny("a green frog", perceptors=(str(folder),), iterations=4, learning_rate=1.0)
    artifact = painted(recipe, zoo)
    assert artifact.manifest.models[f"{folder}/tokenizer.json"] == sha256_of(
        folder / "tokenizer.json"
    )
    table = json.loads((folder / "tokenizer.json").read_text())
    words = table["model"]["vocab"]
    words["green"], words["flat"] = words["flat"], words["green"]
    (folder / "tokenizer.json").write_text(json.dumps(table))
    verdict = replay(artifact, zoo)  # the same zoo: what it keeps must not be used again
    assert not verdict.identical
    (reason,) = verdict.reasons
    assert reason.startswith(f"model '{folder}/tokenizer.json' has changed: sha256 ")


def test_weights_matter(zoo: Zoo) -> None:
    hashes = {
        painted(both(weights), zoo).manifest.pixel_sha256
        for weights in ((":1", ":0.5"), (":1", ":-3"), (":0.1", ":1"))
    }
    assert len(hashes) == 3


@pytest.mark.parametrize("name", ["org/other", "./nothing", "org/my-clip/config.json", "org"])
def test_a_name_that_leads_nowhere(zoo: Zoo, name: str) -> None:
    with pytest.raises(PhospheneError) as caught:
        set_stage(recipe_with(tiny(), {"perceptors": f"{name}:0.5"}), zoo)
    assert "\n" not in str(caught.value)
    assert name != "org/other" or "`phosphene models pull org/other`" in str(caught.value)
