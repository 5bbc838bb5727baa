"""Tiny CLIP and SigLIP models, saved and loaded again, against the transformers library itself."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPModel, CLIPTokenizer, SiglipModel

from phosphene.core.errors import CheckpointError, MissingTool, Unsupported, WeightsError
from phosphene.core.protocols import Perceptor
from phosphene.core.runtime import painting_dtype
from phosphene.prompting.hub_perceptor import TransformersPerceptor, build
from tests.prompting.published_folders import PIXELS, make_clip, make_siglip

SIZE = 32


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip"), SIZE)


@pytest.fixture(scope="module")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_siglip(tmp_path_factory.mktemp("siglip"), SIZE)


@pytest.fixture(params=["clip", "siglip"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"{request.param}_folder")
    return found


def load(folder: Path, **options: Any) -> TransformersPerceptor:
    return TransformersPerceptor.from_pretrained(folder, **{"dtype": torch.float32, **options})


def pictures(count: int = 2, size: int = SIZE) -> Tensor:
    return torch.rand(count, 3, size, size) * 2 - 1


def reference(folder: Path) -> Any:
    kind = (
        CLIPModel
        if "clip" in json.loads((folder / "config.json").read_text())["model_type"]
        else SiglipModel
    )
    return kind.from_pretrained(folder).eval()


def test_is_a_perceptor(folder: Path) -> None:
    perceptor = load(folder)
    assert isinstance(perceptor, Perceptor)
    assert perceptor.input_size == SIZE
    assert not perceptor.train().training
    assert not any(p.requires_grad for p in perceptor.parameters())


def test_pictures_as_the_library_sees_them(folder: Path) -> None:
    x = pictures()
    mean, std = (torch.tensor(PIXELS[k]).view(1, 3, 1, 1) for k in ("image_mean", "image_std"))
    with torch.no_grad():
        out = reference(folder).get_image_features(pixel_values=((x + 1) / 2 - mean) / std)
    wanted = F.normalize(out.pooler_output, dim=1)
    torch.testing.assert_close(load(folder).encode_image(x), wanted, rtol=1e-4, atol=1e-5)


def test_texts_as_the_library_reads_them(clip_folder: Path) -> None:
    texts = ["green heart", "a frog that sits on a very, very long and winding branch"]
    tokenizer = CLIPTokenizer.from_pretrained(clip_folder)
    tokens = tokenizer(texts, padding=True, truncation=True, max_length=24, return_tensors="pt")
    with torch.no_grad():
        out = reference(clip_folder).get_text_features(**tokens)
    wanted = F.normalize(out.pooler_output, dim=1)
    torch.testing.assert_close(load(clip_folder).encode_text(texts), wanted, rtol=1e-4, atol=1e-5)


def test_siglip_reads_padded_lower_case(siglip_folder: Path) -> None:
    ids = torch.tensor([[4, 5, 1, 0, 0, 0, 0, 0]])  # green heart </s> and padding
    with torch.no_grad():
        out = reference(siglip_folder).get_text_features(input_ids=ids)
    wanted = F.normalize(out.pooler_output, dim=1)
    got = load(siglip_folder).encode_text(["Green  HEART"])
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def test_any_text_is_read(folder: Path) -> None:
    perceptor = load(folder)
    texts = ["x" * 10_000, "💚", "龙", "\x00\ud800", ""]
    embedded = perceptor.encode_text(texts)
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(len(texts)))
    alone = perceptor.encode_text(texts[1:2])
    torch.testing.assert_close(embedded[1:2], alone, rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_pixel(folder: Path) -> None:
    x = pictures(1).requires_grad_()
    load(folder).encode_image(x)[:, 0].sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()


def test_other_sizes_are_resampled(folder: Path) -> None:
    x = pictures(2, 80)
    embedded = load(folder).encode_image(x)
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(embedded[1:], load(folder).encode_image(x[1:]))


def test_bf16_is_close_and_gives_float32(folder: Path) -> None:
    x = pictures()
    half = load(folder, dtype=torch.bfloat16)
    assert half.dtype == torch.bfloat16
    seen = half.encode_image(x)
    assert seen.dtype == torch.float32
    assert (F.cosine_similarity(seen, load(folder).encode_image(x)) > 0.99).all()


def test_draws_no_progress_bar(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load(folder)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_missing_model_says_how_to_get_it() -> None:
    with pytest.raises(WeightsError, match="phosphene models pull openai/clip-vit") as caught:
        TransformersPerceptor.from_pretrained("openai/clip-vit-none")
    assert "\n" not in str(caught.value)


def test_folder_without_model(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds no CLIP") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_other_architectures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(Unsupported, match="'bert'"):
        load(tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "missing tensor", "other width"])
def test_damaged_weights_are_refused(clip_folder: Path, tmp_path: Path, damage: str) -> None:
    from safetensors.torch import load_file, save_file

    for file in clip_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    tensors = load_file(weights)
    name = "visual_projection.weight"
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "missing tensor":
        save_file({k: v for k, v in tensors.items() if k != name}, weights, {"format": "pt"})
    else:
        save_file({**tensors, name: torch.zeros(3, 3)}, weights, {"format": "pt"})
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


class FakeShelf:
    """Holds a folder."""

    def __init__(self, folder: Path, dtype: torch.dtype | None = None) -> None:
        self.device, self.dtype, self._folder = torch.device("cpu"), dtype, folder

    def model(self, name: str) -> Any:
        raise NotImplementedError(name)

    def read(self, file_name: str) -> bytes:
        raise NotImplementedError(file_name)

    def folder(self) -> Path:
        return self._folder


def test_built_in_the_precision_that_paints(folder: Path) -> None:
    assert build({}, {}, FakeShelf(folder)).dtype == painting_dtype(torch.device("cpu"))
    assert build({}, {}, FakeShelf(folder, torch.float32)).dtype == torch.float32


def test_no_pickle_is_read(clip_folder: Path, tmp_path: Path) -> None:
    for file in clip_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").unlink()
    torch.save(CLIPModel.from_pretrained(clip_folder).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_siglip_needs_no_sentencepiece(siglip_folder: Path, tmp_path: Path) -> None:
    for file in siglip_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config["tokenizer_class"] = "SiglipTokenizer"  # as in the published folders
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    texts = ["green heart"]
    torch.testing.assert_close(
        load(tmp_path).encode_text(texts), load(siglip_folder).encode_text(texts)
    )
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises((MissingTool, WeightsError)) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
