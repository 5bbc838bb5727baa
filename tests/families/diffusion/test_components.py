"""Folders of pipelines: classes out of closed tables, whole safetensors, or one clear line."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from phosphene.core.errors import CheckpointError, PhospheneError, Unsupported, WeightsError
from phosphene.families.diffusion import components
from phosphene.families.diffusion.components import KINDS, MODEL_INDEX, load_parts, quiet
from phosphene.zoo import pipelines


@pytest.fixture
def folder(folders, tmp_path) -> Path:
    return Path(shutil.copytree(folders["sd"], tmp_path / "copy"))


def rewrite(folder: Path, **change: object) -> None:
    path = folder / MODEL_INDEX
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


def refused(error: type[PhospheneError], folder: Path) -> str:
    with pytest.raises(error) as caught:
        load_parts(folder, torch.float32)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_zoo_and_builder_know_the_same_classes():
    assert set(KINDS) == set(pipelines.SOURCES)
    parts = {part for kind in KINDS.values() for part in (*kind.parts, *kind.tokenizers)}
    assert parts == {*pipelines.WEIGHT_PARTS, *pipelines.SETTINGS_PARTS} - {
        "scheduler",
        "feature_extractor",
    }


def test_every_class_of_the_tables_exists():
    for kind in KINDS.values():
        for task in kind.classes:
            assert components.pipeline_class(kind, task).__name__ == kind.classes[task]
        for names in (*kind.parts.values(), *kind.tokenizers.values()):
            for name in names:
                assert callable(components._library(name))


def test_all_parts_in_one_dtype(folders):
    for name, folder in folders.items():
        parts = load_parts(folder, torch.bfloat16)
        for network in parts.modules.values():
            assert {p.dtype for p in network.parameters()} == {torch.bfloat16}, name
            assert not network.training
    assert load_parts(folders["xl"], torch.float32).settings == {
        "force_zeros_for_empty_prompt": True
    }
    assert "safety_checker" in load_parts(folders["sd"], torch.float32).modules
    without = load_parts(folders["sd"], torch.float32, safety=False)
    assert "safety_checker" not in without.modules
    assert without.others["safety_checker"] is None


def test_loading_draws_nothing_and_says_nothing(folders, capfd):
    state = torch.get_rng_state()
    level = logging.getLogger("diffusers").level
    load_parts(folders["xl"], torch.float32)
    assert torch.equal(torch.get_rng_state(), state)
    assert logging.getLogger("diffusers").level == level
    assert capfd.readouterr() == ("", "")
    with quiet():
        assert logging.getLogger("diffusers").level == logging.ERROR


def test_half_precision_is_taken_where_there_is_some(folder):
    unet = folder / "unet"
    plain = load_file(unet / "diffusion_pytorch_model.safetensors")
    half = {key: value.half() * 0 for key, value in plain.items()}
    save_file(half, unet / "diffusion_pytorch_model.fp16.safetensors", {"format": "pt"})
    parts = load_parts(folder, torch.float32)
    assert not parts.modules["unet"].conv_in.weight.any()
    assert parts.modules["unet"].dtype == torch.float32
    assert parts.modules["vae"].encoder.conv_in.weight.any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"_class_name": "FluxPipeline"}, "class 'FluxPipeline'; phosphene knows StableDiffusion"),
        ({"_class_name": ["os", "system"]}, "phosphene knows"),
        ({"unet": ["my_code", "EvilModel"]}, "names the class 'EvilModel' for 'unet'"),
        ({"text_encoder": ["transformers", "BertModel"]}, "'BertModel' for 'text_encoder'"),
        ({"scheduler": ["diffusers", "StableDiffusionPipeline"]}, "the scheduler 'StableDiff"),
        ({"tokenizer": ["os", "system"]}, "'system' for 'tokenizer'"),
    ],
)
def test_classes_are_never_resolved_by_a_file(folder, change, said):
    rewrite(folder, **change)
    assert said in refused(Unsupported, folder)


def test_libraries_that_a_file_names_are_not_imported(folder, tmp_path, monkeypatch):
    (tmp_path / "evil_library.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    rewrite(folder, unet=["evil_library", "UNet2DConditionModel"])
    assert type(load_parts(folder, torch.float32).modules["unet"]).__module__.startswith(
        "diffusers."
    )


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, "\udcff"])
def test_a_damaged_index(folder, text):
    (folder / MODEL_INDEX).write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(CheckpointError, folder)


def test_missing_parts(folder):
    rewrite(folder, vae=[None, None])
    assert "names no 'vae'" in refused(CheckpointError, folder)
    rewrite(folder, vae=["diffusers", "AutoencoderKL"])
    shutil.rmtree(folder / "vae")
    assert "is missing" in refused(WeightsError, folder)
    (folder / MODEL_INDEX).unlink()
    assert "cannot read" in refused(WeightsError, folder)


def test_pickles_are_refused(folder):
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    assert "pickles are not read" in refused(WeightsError, folder)


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_weights_that_lack_tensors(folder, part):
    (path,) = (folder / part).glob("*.safetensors")
    tensors = load_file(path)
    del tensors[sorted(tensors)[0]]
    save_file(tensors, path, {"format": "pt"})
    assert "lacks 1 tensors" in refused(CheckpointError, folder)


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_damaged_weights(folder, part):
    (path,) = (folder / part).glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-5])
    refused(CheckpointError, folder)


def test_missing_settings(folder):
    (folder / "unet" / "config.json").unlink()
    refused(WeightsError, folder)
    shutil.rmtree(folder / "scheduler")
    refused(WeightsError, folder)
