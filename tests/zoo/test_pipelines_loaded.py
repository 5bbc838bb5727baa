"""Published pipelines through the zoo, from the name to the picture."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from phosphene.core.errors import HashMismatch, Unsupported
from phosphene.core.protocols import Commission, Illustrator
from phosphene.core.rng import Rng
from phosphene.core.runtime import painting_dtype
from phosphene.zoo import Zoo, fetch
from phosphene.zoo.card import to_toml
from tests.families.diffusion.tiny_pipelines import SIZE, make_sd
from tests.zoo.hub_server import FakeHub

NAME = "org/tiny-turbo"
LAYER = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sd(tmp_path_factory.mktemp("made") / "sd", safety=True)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "my-sd"))


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    path = tmp_path / "x.safetensors"
    save_file(
        {f"{LAYER}.lora_A.weight": torch.ones(1, 16), f"{LAYER}.lora_B.weight": torch.ones(16, 1)},
        path,
    )
    return path


def picture(model: Illustrator, steps: int = 2) -> torch.Tensor:
    asked = Commission(
        spans=(("a fox", 1.0),),
        height=SIZE,
        width=SIZE,
        steps=steps,
        guidance_scale=2.0,
        sampler=model.habits.sampler,
    )
    images = list(model.illustrate(asked, Rng((7,))))[-1].images
    assert images is not None
    return images


def test_a_folder_paints_in_the_precision_that_is_fast_here(folder: Path, home: Path) -> None:
    zoo = Zoo(home)
    model = zoo.load(str(folder))
    assert isinstance(model, Illustrator)
    assert model.dtype == painting_dtype(torch.device("cpu"))
    assert zoo.load(str(folder)) is model
    exact = zoo.load(str(folder), dtype=torch.float32)
    near, truth = picture(model), picture(exact)
    assert near.dtype == torch.float32
    assert (near - truth).abs().mean() < 0.05
    assert zoo.load(str(folder), dtype=torch.bfloat16).dtype == torch.bfloat16


def test_weights_that_changed_are_read_anew(folder: Path, home: Path) -> None:
    zoo = Zoo(home)
    before = picture(zoo.load(str(folder), dtype=torch.float32))
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    model = zoo.load(str(folder), dtype=torch.float32)
    state = {key: value * 1.1 for key, value in model.networks["unet"].state_dict().items()}
    save_file({**state, "conv_in.bias": state["conv_in.bias"] + 1}, path, {"format": "pt"})
    assert not torch.equal(picture(zoo.load(str(folder), dtype=torch.float32)), before)


def test_loras_in_the_name(folder: Path, home: Path, lora: Path) -> None:
    zoo = Zoo(home)
    plain, none, half, whole = (
        picture(zoo.load(f"{folder}{more}", dtype=torch.float32))
        for more in ("", f"+{lora}:0", f"+{lora}:0.5", f"+{lora}")
    )
    assert torch.equal(none, plain)
    assert not torch.equal(half, plain)
    assert not torch.equal(half, whole)


def test_from_the_hub_to_a_picture(folder: Path, home: Path, served: FakeHub, lora: Path) -> None:
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    served.add(NAME, {name: path.read_bytes() for name, path in files.items()})
    steps = list(fetch.pull(NAME, home))
    assert steps[-1].done == steps[-1].total
    zoo = Zoo(home)
    model = zoo.load(NAME, dtype=torch.float32)
    assert (model.habits.steps, model.habits.guidance_scale) == (4, 1.0)
    local = picture(Zoo(home).load(str(folder), dtype=torch.float32))
    assert torch.equal(picture(model), local)
    assert not torch.equal(picture(zoo.load(f"{NAME}+{lora}", dtype=torch.float32)), local)
    # the card is the place where the safety checker can be left out
    assert "safety_checker" in model.networks
    card = zoo.card(NAME)
    changed = card.model_copy(update={"config": {"safety_checker": False}})
    (home / "models" / card.name / "card.toml").write_text(to_toml(changed))
    assert "safety_checker" not in zoo.load(NAME, dtype=torch.float32).networks


def test_files_that_are_not_what_was_pulled(folder: Path, home: Path, served: FakeHub) -> None:
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    served.add(NAME, {name: path.read_bytes() for name, path in files.items()})
    assert list(fetch.pull(NAME, home))
    here = fetch.located(Zoo(home).card(NAME), home)
    assert isinstance(here, Path)
    path = here / "vae" / "config.json"
    text = path.read_text()
    path.unlink()
    path.write_text(text + " ")
    with pytest.raises(HashMismatch):
        Zoo(home).load(NAME)


def test_classes_of_others_are_not_loaded(folder: Path, home: Path) -> None:
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace('"UNet2DConditionModel"', '"os.system"'))
    with pytest.raises(Unsupported, match=r"'os\.system' for 'unet'"):
        Zoo(home).load(str(folder))
