"""Converted checkpoints are models like any other: named, carded, checked."""

import hashlib
from pathlib import Path

import pytest
import torch

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.weights import read_weights
from phosphene.families.tokens.vqgan import VQGAN
from phosphene.zoo.card import Converted
from phosphene.zoo.convert import convert_taming
from phosphene.zoo.zoo import Zoo
from tests.zoo.taming_reference import Shape, drawn_weights, published

GUMBEL = Shape("taming.models.vqgan.GumbelVQ", 32, (1, 2), (8,), 8, 8, 16, 16, 1)


def test_a_converted_model_is_in_the_zoo(tmp_path: Path) -> None:
    weights = drawn_weights(GUMBEL)
    checkpoint, config = published(GUMBEL, weights, tmp_path)
    card = convert_taming(checkpoint, config, "my-gumbel", tmp_path / "home", torch.float16)
    zoo = Zoo(tmp_path / "home")
    assert zoo.card("my-gumbel").model_dump(exclude={"file"}) == card.model_dump(exclude={"file"})
    assert card.parameters == sum(value.numel() for value in weights.values())
    assert card.size == GUMBEL.resolution
    made_of = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert card.converted == Converted(file=checkpoint.name, sha256=made_of)
    for found in (card, zoo.card("my-gumbel")):
        assert found.origin == f"converted from {checkpoint.name!r}, sha256 {made_of[:12]}"
    model = zoo.load("my-gumbel")
    assert isinstance(model, VQGAN)
    assert model.config.codebook == "gumbel"
    assert not any(parameter.requires_grad for parameter in model.parameters())
    tensors, values = read_weights(tmp_path / "home" / "models" / "my-gumbel" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert not any(name.startswith("loss") for name in tensors)
    assert (values["family"], values["arch"]) == ("tokens", "vqgan")
    assert (values["size"], values["norm_groups"]) == (16, 32)


@pytest.mark.parametrize("name", ["a\nb.ckpt", "\udcff.ckpt", "💚.ckpt", "x" * 250 + ".ckpt"])
def test_any_name_of_a_checkpoint_fits_a_card(name: str, tmp_path: Path) -> None:
    checkpoint, config = published(GUMBEL, drawn_weights(GUMBEL), tmp_path)
    renamed = checkpoint.rename(tmp_path / name)
    convert_taming(renamed, config, "odd", tmp_path / "home")
    origin = Zoo(tmp_path / "home").card("odd").origin
    assert origin.startswith("converted from '")
    assert origin.isprintable()


@pytest.mark.parametrize(
    "name", ["", "../up", "a/b", "UPPER", "-dash", "a" * 81, "a\nb", "emoji 💚"]
)
def test_a_name_that_cannot_be_had(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be a model's name") as caught:
        convert_taming(tmp_path / "x.ckpt", tmp_path / "x.yaml", name, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_shipped_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="ships with phosphene"):
        convert_taming(tmp_path / "x.ckpt", tmp_path / "x.yaml", "minilm", tmp_path)


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    checkpoint, config = published(GUMBEL, {}, tmp_path)
    home = tmp_path / "home"
    with pytest.raises(CheckpointError, match="lacks"):
        convert_taming(checkpoint, config, "new", home)
    assert not home.exists()
