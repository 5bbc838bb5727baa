"""The registry: names, near misses, paths, and the user's own models."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from phosphene.core.checksum import sha256_of
from phosphene.core.errors import CheckpointError, RecipeError, UnknownModel
from phosphene.core.weights import save_weights
from phosphene.zoo import registry
from phosphene.zoo.builders import BUILDERS
from phosphene.zoo.card import Card

TENSORS = {"w": torch.zeros(3)}
CONFIG = {"family": "tokens", "arch": "vqgan", "size": 64}


def user_model(home: Path, name: str, **fields: Any) -> Card:
    weights = registry.model_folder(name, home) / registry.WEIGHTS_FILE
    save_weights(weights, TENSORS, CONFIG)
    card = Card(
        name=name,
        family="tokens",
        arch="vqgan",
        summary="mine",
        parameters=3,
        licence="mine",
        source="mine",
        trained_on="mine",
        bytes=weights.stat().st_size,
        sha256=sha256_of(weights),
        file=registry.WEIGHTS_FILE,
        **fields,
    )
    registry.register(card, home)
    return card


@pytest.mark.parametrize("card", registry.shipped_cards(), ids=lambda card: card.name)
def test_shipped_cards_are_complete(card: Card) -> None:
    names = {other.name for other in registry.shipped_cards()}
    assert (card.family, card.arch) in BUILDERS
    assert card.needs == () or set(card.needs) <= names - {card.name}
    if card.file is not None:
        path = registry.EMBEDDED / card.file
        assert Path(card.file).name == card.file
        assert card.sha256 == sha256_of(path)
        assert card.bytes == path.stat().st_size


def test_shipped_names_are_unique_and_every_embedded_file_has_a_card() -> None:
    cards = registry.shipped_cards()
    assert len({card.name for card in cards}) == len(cards)
    files = {path.name for path in registry.EMBEDDED.glob("*.safetensors")}
    assert files == {card.file for card in cards if card.file is not None}


def test_near_miss() -> None:
    with pytest.raises(UnknownModel, match=r"did you mean 'minilm'.*`phosphene models` lists all"):
        registry.card("minlm")


@pytest.mark.parametrize("name", ["", "zzz", "a" * 10_000, "💚", "\0", "x\ny"])
def test_unknown_names_are_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel) as caught:
        registry.card(name, tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_home_from_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PHOSPHENE_HOME", str(tmp_path / "h"))
    assert registry.home() == tmp_path / "h"
    monkeypatch.setenv("PHOSPHENE_HOME", "~/h")
    assert registry.home() == Path.home() / "h"
    monkeypatch.delenv("PHOSPHENE_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert registry.home() == tmp_path / "phosphene"


def test_user_models_are_listed_and_found(tmp_path: Path) -> None:
    written = user_model(tmp_path, "mine", config={"steps": 3})
    found = registry.card("mine", tmp_path)
    assert found.file == str(tmp_path / "models" / "mine" / "model.safetensors")
    assert found.model_copy(update={"file": written.file}) == written
    assert found in registry.cards(tmp_path)
    assert found not in registry.cards()
    with pytest.raises(UnknownModel, match="did you mean 'mine'"):
        registry.card("mien", tmp_path)


def test_a_shipped_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="choose another name"):
        user_model(tmp_path, "minilm")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not toml", "cannot read the card"),
        ("name = 'x'", "Field required"),
        ("\x00", "cannot read the card"),
    ],
)
def test_a_broken_card_hides_only_itself(tmp_path: Path, text: str, message: str) -> None:
    user_model(tmp_path, "good")
    broken = tmp_path / "models" / "broken" / "card.toml"
    broken.parent.mkdir()
    broken.write_text(text)
    assert "good" in {card.name for card in registry.cards(tmp_path)}
    assert len(registry.user_cards(tmp_path)[1]) == 1
    with pytest.raises(CheckpointError, match=message) as caught:
        registry.card("broken", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_card_cannot_point_elsewhere(tmp_path: Path) -> None:
    user_model(tmp_path, "mine")
    path = tmp_path / "models" / "mine" / "card.toml"
    path.write_text(path.read_text().replace('"model.safetensors"', '"../../secret"'))
    with pytest.raises(CheckpointError, match="not a plain file name"):
        registry.card("mine", tmp_path)


def test_a_card_in_a_folder_of_another_name(tmp_path: Path) -> None:
    user_model(tmp_path, "mine")
    os.rename(tmp_path / "models" / "mine", tmp_path / "models" / "other")
    with pytest.raises(CheckpointError, match="'mine' is not the folder's"):
        registry.card("other", tmp_path)


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_weights(tmp_path / "run" / "model.safetensors", TENSORS, CONFIG)
    monkeypatch.chdir(tmp_path)
    whole = str(tmp_path / "run" / "model.safetensors")
    for name in ("run/model.safetensors", "./run", "./run/", whole):
        found = registry.card(name)
        assert (found.family, found.arch, found.size) == ("tokens", "vqgan", 64)
        assert found.parameters == 3
        assert found.file == whole


def test_a_folder_with_a_card(tmp_path: Path) -> None:
    user_model(tmp_path, "mine")
    assert registry.card(str(tmp_path / "models" / "mine")).name == "mine"


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="no file"):
        registry.card("./nothing.safetensors")
    with pytest.raises(UnknownModel, match=r"holds no model\.safetensors"):
        registry.card(str(tmp_path))
    save_weights(tmp_path / "m.safetensors", TENSORS, {})
    with pytest.raises(CheckpointError, match="does not say what it is"):
        registry.card(str(tmp_path / "m.safetensors"))
    save_weights(tmp_path / "m.safetensors", TENSORS, {"family": "No Such!", "arch": "x"})
    with pytest.raises(CheckpointError, match="does not say what it is"):
        registry.card(str(tmp_path / "m.safetensors"))


def test_names_need_no_torch() -> None:
    code = (
        "import sys, phosphene.zoo as z; z.cards(z.home()); z.card('minilm');"
        "from phosphene.zoo import fetch; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
