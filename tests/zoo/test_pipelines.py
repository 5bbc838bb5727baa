"""Folders of diffusers as models of the zoo; files of a few bytes, no networks."""

import json
import shutil
from pathlib import Path

import pytest

from phosphene.core.errors import CheckpointError, UnknownModel, Unsupported, WeightsError
from phosphene.zoo import Zoo, fetch, pipelines, registry
from tests.zoo.test_hub import weights

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.6.0",
    "requires_safety_checker": True,
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "image_encoder": [None, None],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
WEIGHTED = {
    "safety_checker": "model",
    "text_encoder": "model",
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
}


def pipeline_files(**index: object) -> dict[str, bytes]:
    """All that such a repository holds, in many formats."""
    files = {
        "model_index.json": json.dumps({**INDEX, **index}).encode(),
        "README.md": b"words",
        "v1-5-pruned.safetensors": weights(99),
        "v1-5-pruned.ckpt": b"\x80\x04 a pickle",
        "feature_extractor/preprocessor_config.json": b"{}",
        "scheduler/scheduler_config.json": b"{}",
        "tokenizer/vocab.json": b"{}",
        "tokenizer/merges.txt": b"#version: 0.2\n",
        "unet/config.json": json.dumps({"sample_size": 64}).encode(),
        "vae/config.json": json.dumps({"block_out_channels": [1, 2, 4, 4]}).encode(),
        "text_encoder/config.json": b"{}",
        "safety_checker/config.json": b"{}",
        "vae_decoder/model.onnx": b"another format",
    }
    for seed, (part, stem) in enumerate(WEIGHTED.items()):
        files[f"{part}/{stem}.safetensors"] = weights(4, seed)
        files[f"{part}/{stem}.bin"] = b"\x80\x04 a pickle"
    return files


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "my-sd", pipeline_files())


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in pipelines.files(folder)}


def test_a_folder_has_a_card(folder: Path, tmp_path: Path) -> None:
    found = registry.card(str(folder))
    assert (found.family, found.arch, found.size) == ("diffusion", "pipeline", 512)
    assert found.parameters == 16
    assert found.bytes == 4 * len(weights(4))
    assert found.config == {}
    assert found.file == str(folder / "model_index.json")
    assert registry.card(found.file) == found
    assert fetch.is_here(found, tmp_path)


def test_only_what_is_read(folder: Path) -> None:
    expected = {name for name in pipeline_files() if "/" in name or name == "model_index.json"}
    expected -= {name for name in expected if name.endswith((".bin", ".onnx"))}
    assert names(folder) == expected


def test_half_precision_comes_first(folder: Path) -> None:
    half = folder / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    half.write_bytes(weights(5))
    found = names(folder)
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in found
    assert "unet/diffusion_pytorch_model.safetensors" not in found
    assert "vae/diffusion_pytorch_model.safetensors" in found


@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_weights_in_parts(folder: Path, variant: str) -> None:
    unet = folder / "unet"
    (unet / "diffusion_pytorch_model.safetensors").unlink()
    parts = [f"diffusion_pytorch_model{variant}-0000{i}-of-00002.safetensors" for i in (1, 2)]
    listing = f"diffusion_pytorch_model.safetensors.index{variant}.json"
    write(unet, {listing: b"{}", **{part: weights(3) for part in parts}})
    found = names(folder)
    assert {f"unet/{name}" for name in (listing, *parts)} <= found
    assert len(pipelines.weight_files(folder)) == 5
    (unet / parts[1]).unlink()
    with pytest.raises(WeightsError, match="'unet' has 1 files of weights, not 2"):
        pipelines.files(folder)


def test_parts_that_are_left_out(folder: Path) -> None:
    write(folder, pipeline_files(safety_checker=[None, None]))
    assert not any(name.startswith("safety_checker") for name in names(folder))


def test_the_hash_is_of_all_that_is_read(folder: Path, tmp_path: Path) -> None:
    seen = {fetch.identity(registry.card(str(folder)), tmp_path)}
    for name in ("unet/diffusion_pytorch_model.safetensors", "vae/config.json", "tokenizer/x.txt"):
        content = weights(4, 9) if name.endswith("safetensors") else b'{"block_out_channels": [1]}'
        (folder / name).write_bytes(content)
        seen.add(fetch.identity(registry.card(str(folder)), tmp_path))
    assert len(seen) == 4
    (folder / "README.md").write_bytes(b"other words")
    (folder / "unet" / "diffusion_pytorch_model.bin").unlink()
    assert fetch.identity(registry.card(str(folder)), tmp_path) in seen


def test_folders_of_pickles(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"'unet' holds no safetensors, only pickles") as caught:
        registry.card(str(folder))
    assert "\n" not in str(caught.value)
    shutil.rmtree(folder / "unet")
    with pytest.raises(WeightsError, match=r"'unet' holds no safetensors; name"):
        registry.card(str(folder))


def test_pickles_in_disguise_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"\x80\x04 a pickle")
    with pytest.raises(WeightsError):
        Zoo(tmp_path / "home").load(str(folder))


def test_other_pipelines(folder: Path) -> None:
    write(folder, pipeline_files(_class_name="FluxPipeline"))
    with pytest.raises(Unsupported, match="class 'FluxPipeline'; phosphene knows StableDiffusion"):
        registry.card(str(folder))


@pytest.mark.parametrize("text", [b"{", b"[]", b"[" * 100_000])
def test_a_damaged_index(folder: Path, text: bytes) -> None:
    (folder / "model_index.json").write_bytes(text)
    with pytest.raises(CheckpointError):
        registry.card(str(folder))


@pytest.mark.parametrize("size", [None, "64", -1, [64, 64]])
def test_sizes_that_settings_do_not_tell(folder: Path, size: object) -> None:
    (folder / "unet" / "config.json").write_text(json.dumps({"sample_size": size}))
    assert registry.card(str(folder)).size is None


def test_distilled_models_are_known_by_name(folder: Path, tmp_path: Path) -> None:
    turbo = folder.rename(tmp_path / "sd-turbo")
    assert registry.card(str(turbo)).config == {"steps": 4, "guidance_scale": 1.0}
    for name in ("stabilityai/sdxl-turbo", "x/SDXL-Lightning", "x/dreamshaper-lcm"):
        assert pipelines.describe(turbo, name)["config"]
    for name in ("stable-diffusion-v1-5/stable-diffusion-v1-5", "x/telecom"):
        assert not pipelines.describe(turbo, name)["config"]


def test_a_name_that_was_not_pulled(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="`phosphene models pull stabilityai/sd-turbo`"):
        registry.card("stabilityai/sd-turbo", tmp_path)
