"""Pulling published diffusion pipelines, from a hub that runs on this machine."""

import json
from pathlib import Path

import pytest

from phosphene.core.errors import UnknownModel, Unsupported, WeightsError
from phosphene.zoo import fetch, registry
from tests.zoo.hub_server import COMMIT, FakeHub
from tests.zoo.test_hub import pull, refused, weights
from tests.zoo.test_pipelines import pipeline_files

NAME = "org/tiny-SD"


@pytest.fixture
def stocked(served: FakeHub) -> FakeHub:
    served.add(NAME, pipeline_files())
    return served


def test_pulling_writes_a_card(stocked: FakeHub, home: Path) -> None:
    found = pull(NAME, home)
    assert (found.family, found.arch, found.size) == ("diffusion", "pipeline", 512)
    assert found.name == "org--tiny-sd"
    assert found.summary == "the published pipeline org/tiny-SD"
    assert found.licence == "mit"
    assert found.bytes == 4 * len(weights(4))
    assert found.hub is not None
    assert (found.hub.repo, found.hub.revision) == (NAME, COMMIT)
    assert registry.card(NAME, home) == found
    assert fetch.identity(found, home) == found.sha256
    stocked.asked.clear()
    assert pull(NAME, home) == found
    assert stocked.asked == []


def test_only_the_files_that_are_read_come(stocked: FakeHub, home: Path) -> None:
    half = {"unet/diffusion_pytorch_model.fp16.safetensors": weights(5)}
    stocked.add(NAME, {**pipeline_files(), **half})
    folder = fetch.located(pull(NAME, home), home)
    assert isinstance(folder, Path)
    here = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    assert here == set(registry.card(NAME, home).hub.patterns)  # type: ignore[union-attr]
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in here
    for line in stocked.asked:
        assert not line.endswith((".bin", ".ckpt", ".onnx", "v1-5-pruned.safetensors"))
        assert not line.endswith("unet/diffusion_pytorch_model.safetensors")


def test_a_card_without_its_files_fetches_them_again(
    stocked: FakeHub,
    home: Path,
) -> None:
    found = pull(NAME, home)
    (home / "hub").rename(home / "gone")
    with pytest.raises(WeightsError, match="`phosphene models pull org--tiny-sd`"):
        fetch.located(found, home)
    assert pull(NAME, home) == found
    assert fetch.is_here(found, home)


def test_others_are_refused_before_their_weights_come(
    stocked: FakeHub,
    home: Path,
) -> None:
    stocked.add(NAME, pipeline_files(_class_name="FluxPipeline"))
    assert "'FluxPipeline'" in refused(Unsupported, NAME, home)
    files = pipeline_files()
    del files["vae/diffusion_pytorch_model.safetensors"]
    stocked.add("org/other", files)
    assert "'vae' holds no safetensors, only pickles" in refused(WeightsError, "org/other", home)
    assert not any("/store/" in line for line in stocked.asked)
    with pytest.raises(UnknownModel):
        registry.card(NAME, home)


def test_a_turbo_model_takes_few_steps(stocked: FakeHub, home: Path) -> None:
    stocked.add("org/sd-turbo", pipeline_files())
    assert pull("org/sd-turbo", home).config == {"steps": 4, "guidance_scale": 1.0}


def test_paths_that_leave_the_folder_are_not_files(
    stocked: FakeHub,
    home: Path,
) -> None:
    files = {**pipeline_files(), "unet/../../../evil.json": json.dumps({}).encode()}
    stocked.add(NAME, files)
    assert pull(NAME, home).hub is not None
    assert not list(home.rglob("evil.json"))
