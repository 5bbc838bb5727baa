"""LoRAs that follow a model's name."""

from pathlib import Path

import pytest

from phosphene.core.errors import RecipeError, UnknownModel, Unsupported
from phosphene.zoo import Zoo, adapters, fetch, registry
from phosphene.zoo.zoo import _identity
from tests.zoo.test_hub import weights
from tests.zoo.test_pipelines import pipeline_files, write


@pytest.mark.parametrize(
    ("name", "base", "loras"),
    [
        ("sd", "sd", ()),
        ("org/sd+x.safetensors", "org/sd", (("x.safetensors", 1.0),)),
        ("sd+a/x.safetensors:0.8", "sd", (("a/x.safetensors", 0.8),)),
        (
            "./sd+x.safetensors:-1+~/y.safetensors+/z.safetensors:0",
            "./sd",
            (("x.safetensors", -1.0), ("~/y.safetensors", 1.0), ("/z.safetensors", 0.0)),
        ),
        ("a+b", "a+b", ()),
        ("a+b.bin", "a+b.bin", ()),
        ("x.safetensors", "x.safetensors", ()),
        ("+x.safetensors", "+x.safetensors", ()),
        ("a" * 9999 + "+", "a" * 9999 + "+", ()),
    ],
)
def test_names(name: str, base: str, loras: tuple[tuple[str, float], ...]) -> None:
    assert adapters.split(name) == (base, loras)


@pytest.mark.parametrize("strength", ["x", "nan", "inf", "11", "1e9", " "])
def test_strengths_that_are_none(strength: str) -> None:
    with pytest.raises(RecipeError, match="a LoRA's strength is a number up to 10"):
        adapters.split(f"sd+x.safetensors:{strength}")


def test_a_path_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a+b.safetensors"
    path.touch()
    assert adapters.split(str(path)) == (str(path), ())


def test_cards_with_loras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "sd", pipeline_files())
    lora = tmp_path / "x.safetensors"
    lora.write_bytes(weights())
    plain = registry.card(str(folder))
    found = registry.card(f"{folder}+{lora}:0.5")
    assert found.config == {"loras": [[str(lora), 0.5]]}
    assert found.model_copy(update={"config": {}}) == plain
    assert fetch.beside(found, tmp_path) == [lora]
    assert fetch.beside(plain, tmp_path) == []
    monkeypatch.chdir(tmp_path)  # and where a path is relative, it is so only here
    assert registry.card("./sd+x.safetensors:0.5") == found
    zoo = Zoo(tmp_path / "home")
    states = {
        _identity(registry.card(f"{folder}{more}"), zoo.home)
        for more in ("", f"+{lora}", f"+{lora}:0.5", f"+{lora}+{lora}")
    }
    assert len(states) == 4


def test_what_takes_no_lora(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="'emoji-vqgan' takes no LoRA"):
        registry.card("emoji-vqgan+x.safetensors")
    folder = write(tmp_path / "sd", pipeline_files())
    with pytest.raises(UnknownModel, match="no LoRA"):
        registry.card(f"{folder}+{tmp_path}/none.safetensors")
    with pytest.raises(UnknownModel, match="unknown model 'nothing'"):
        registry.card("nothing+x.safetensors")
