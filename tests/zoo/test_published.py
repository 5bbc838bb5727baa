"""Folders of the transformers library as models of the zoo; files of a few bytes, no networks."""

import json
from pathlib import Path

import pytest

from phosphene.core.checksum import sha256_of
from phosphene.core.errors import CheckpointError, UnknownModel, Unsupported, WeightsError
from phosphene.zoo import fetch, published, registry
from phosphene.zoo.published import HubName, hub_name
from tests.zoo.test_hub import weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "my-siglip"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "siglip", "vision_config": {}}))
    (folder / "model.safetensors").write_bytes(weights())
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openai/clip-vit-base-patch32", HubName("openai/clip-vit-base-patch32")),
        ("a/b@refs/pr/21", HubName("a/b", "refs/pr/21")),
        ("a/b@main", HubName("a/b", "main")),
        *[(text, None) for text in ("a", "a/b/c", "./a", "/a/b", "~/a", "a/b@", "a/..", "a/b\n")],
        *[(text, None) for text in ("a/m.safetensors", "ä/ö", "a b/c", "", "a/b@x y")],
    ],
)
def test_names_of_the_hub(text: str, expected: HubName | None) -> None:
    assert hub_name(text) == expected
    assert expected is None or str(expected) == text


def test_a_folder_has_a_card(folder: Path, tmp_path: Path) -> None:
    found = registry.card(str(folder))
    assert (found.family, found.arch, found.size) == ("perceptor", "transformers", 224)
    assert found.parameters == 6
    assert found.file == str(folder / "model.safetensors")
    assert registry.card(found.file) == found
    assert fetch.identity(found, tmp_path) == sha256_of(folder / "model.safetensors")


def test_weights_in_parts(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    for i in (1, 2):
        (folder / f"part-{i}.safetensors").write_bytes(weights(seed=i))
    index = {"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}
    (folder / published.INDEX_FILE).write_text(json.dumps(index))
    found = registry.card(str(folder))
    assert found.parameters == 12
    before = fetch.identity(found, tmp_path)
    (folder / "part-2.safetensors").write_bytes(weights(seed=3))
    assert fetch.identity(registry.card(str(folder)), tmp_path) != before


@pytest.mark.parametrize("name", ["../secret.safetensors", "x.bin", 3, "/etc/m.safetensors"])
def test_an_index_that_leads_elsewhere(folder: Path, name: object) -> None:
    (folder / "model.safetensors").unlink()
    (folder / published.INDEX_FILE).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(CheckpointError, match=r"lists no \.safetensors files"):
        registry.card(str(folder))


def test_a_folder_of_pickles(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="pickles such as") as caught:
        registry.card(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, "\udcff"])
def test_a_damaged_config(folder: Path, text: str) -> None:
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CheckpointError) as caught:
        registry.card(str(folder))
    assert "\n" not in str(caught.value)


def test_other_types(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointError, match="does not say what it is"):
        registry.card(str(folder))
    with pytest.raises(Unsupported, match="'bert'; a published perceptor is one of clip, siglip"):
        published.check_type(folder, "x")
    (folder / "config.json").unlink()
    with pytest.raises(Unsupported, match=r"has no config\.json"):
        published.check_type(folder, "x")


def test_a_name_that_was_not_pulled(tmp_path: Path) -> None:
    for home in (None, tmp_path):
        with pytest.raises(UnknownModel, match="`phosphene models pull org/name`") as caught:
            registry.card("org/name", home)
        assert "\n" not in str(caught.value)


def test_one_hash_for_several_files() -> None:
    assert published.joint_sha256({"a": "0"}) == "0"
    both = published.joint_sha256({"a": "0", "b": "1"})
    assert both == published.joint_sha256({"b": "1", "a": "0"})
    assert both != published.joint_sha256({"a": "1", "b": "0"})
