"""Pulling published perceptors, from a hub that runs on this machine (see hub_server.py)."""

import hashlib
import json
import os
import struct
from pathlib import Path

import pytest
from huggingface_hub import constants

from phosphene.core.errors import (
    CheckpointError,
    HashMismatch,
    PhospheneError,
    UnknownModel,
    UnsafeModel,
    Unsupported,
    WeightsError,
)
from phosphene.zoo import fetch, registry
from phosphene.zoo.card import Card
from phosphene.zoo.published import hub_name
from tests.zoo import hub_server
from tests.zoo.hub_server import COMMIT, FakeHub

REPO = "org/tiny-CLIP"
OTHER = "f" * 40


def weights(values: int = 6, seed: int = 0) -> bytes:
    """The smallest safetensors file."""
    data = bytes([seed]) * (4 * values)
    header = {"w": {"dtype": "F32", "shape": [values], "data_offsets": [0, len(data)]}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def clip_files(**change: bytes) -> dict[str, bytes]:
    config = {"model_type": "clip", "vision_config": {"image_size": 32}}
    return {
        "config.json": json.dumps(config).encode(),
        "preprocessor_config.json": b"{}",
        "merges.txt": b"#version: 0.2\n",
        "model.safetensors": weights(),
        "open_clip_model.safetensors": weights(7),
        "pytorch_model.bin": b"\x80\x04 a pickle",
        "README.md": b"words",
        "onnx/config.json": b"{}",
    } | change


@pytest.fixture
def hub(served: FakeHub) -> FakeHub:
    """A hub with one model."""
    served.add(REPO, clip_files())
    return served


def pull(name: str, home: Path) -> Card:
    steps = list(fetch.pull(name, home))
    assert steps[-1].done == steps[-1].total
    assert all(step.done < step.total for step in steps[:-1])
    return registry.card(name.partition("@")[0], home)


def refused(kind: type[PhospheneError], name: str, home: Path) -> str:
    """What a pull says that fails: one line."""
    with pytest.raises(kind) as caught:
        list(fetch.pull(name, home))
    assert "\n" not in str(caught.value)
    assert not list((home / "models").glob("*"))
    return str(caught.value)


def test_pull(hub: FakeHub, home: Path) -> None:
    with pytest.raises(UnknownModel, match=f"`phosphene models pull {REPO}`"):
        registry.card(REPO, home)
    found = pull(REPO, home)
    assert (found.family, found.arch, found.size) == ("perceptor", "transformers", 32)
    assert found.name == "org--tiny-clip"
    assert found.parameters == 6
    assert found.bytes == len(weights())
    assert found.sha256 == hashlib.sha256(weights()).hexdigest() == fetch.identity(found, home)
    assert (found.licence, found.trained_on) == ("mit", "pictures, words")
    assert found.hub is not None
    assert (found.hub.repo, found.hub.revision) == (REPO, COMMIT)
    assert registry.card("org--tiny-clip", home) == found
    assert registry.card(f"{REPO}@{COMMIT[:9]}", home) == found
    assert found in registry.cards(home)


def test_only_what_the_model_needs_comes(hub: FakeHub, home: Path) -> None:
    folder = fetch.located(pull(REPO, home), home)
    assert isinstance(folder, Path)
    assert {path.name for path in folder.iterdir()} == {
        *("config.json", "preprocessor_config.json", "merges.txt", "model.safetensors")
    }
    assert not any("pytorch_model.bin" in line for line in hub.asked)


def test_what_is_here_asks_nobody(hub: FakeHub, home: Path) -> None:
    first = pull(REPO, home)
    hub.asked.clear()
    assert pull(REPO, home) == pull("org--tiny-clip", home) == first
    assert pull(f"{REPO}@{COMMIT}", home) == first
    assert hub.asked == []


def test_a_card_without_its_files_fetches_them_again(hub: FakeHub, home: Path) -> None:
    found = pull(REPO, home)
    os.rename(home / "hub", home / "gone")
    assert not fetch.is_here(found, home)
    with pytest.raises(WeightsError, match="`phosphene models pull org--tiny-clip`"):
        fetch.located(found, home)
    assert pull(REPO, home) == found
    assert fetch.is_here(found, home)


def test_another_revision_takes_its_place(hub: FakeHub, home: Path) -> None:
    first = pull(REPO, home)
    hub.add(REPO, clip_files(**{"model.safetensors": weights(seed=1)}), "v2", OTHER)
    second = pull(f"{REPO}@v2", home)
    assert second.hub is not None
    assert second.hub.revision == OTHER
    assert second.sha256 != first.sha256
    with pytest.raises(UnknownModel, match="is here at commit ffffffffffff, not at '0123456'"):
        registry.card(f"{REPO}@{COMMIT[:7]}", home)


def test_weights_in_parts(hub: FakeHub, home: Path) -> None:
    parts = {f"model-{i}-of-2.safetensors": weights(3, i) for i in (1, 2)}
    index = {"weight_map": {f"w{i}": name for i, name in enumerate(parts)}}
    files = clip_files(**parts) | {"model.safetensors.index.json": json.dumps(index).encode()}
    del files["model.safetensors"]
    hub.add(REPO, files)
    found = pull(REPO, home)
    assert found.parameters == 6
    assert found.bytes == sum(map(len, parts.values()))
    assert found.sha256 is not None


def test_pickles_are_left_where_they_are(hub: FakeHub, home: Path) -> None:
    files = clip_files()
    del files["model.safetensors"]
    hub.add(REPO, files)
    said = refused(WeightsError, REPO, home)
    assert "pickles are not fetched" in said
    assert not any("/resolve/" in line for line in hub.asked)


def test_the_hub_s_own_conversion_is_found(hub: FakeHub, home: Path) -> None:
    files = clip_files()
    del files["model.safetensors"]
    hub.add(REPO, files)
    hub.add(REPO, clip_files(), "refs/pr/5", OTHER)
    hub.add(REPO, clip_files(**{"model.safetensors": weights(9)}), "refs/pr/7", "e" * 40)
    request = {
        "title": "Adding `safetensors` variant of this model",
        "status": "open",
        "isPullRequest": True,
        "createdAt": "2023-03-01T00:00:00.000Z",
        "repo": {"name": REPO, "type": "model"},
    }
    hub.requests[REPO] = [
        request | {"num": 5, "author": {"name": "SFconvertbot"}},
        request | {"num": 7, "author": {"name": "a-stranger"}},
    ]
    found = pull(REPO, home)
    assert found.hub is not None
    assert found.hub.revision == OTHER


def test_other_models_are_refused_before_their_weights_come(hub: FakeHub, home: Path) -> None:
    hub.add(REPO, clip_files(**{"config.json": b'{"model_type": "bert"}'}))
    assert "'bert'" in refused(Unsupported, REPO, home)
    assert not any("model.safetensors" in line for line in hub.asked)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("model.safetensors", b"\x80\x04 a pickle in disguise", UnsafeModel),
        ("model.safetensors", weights()[:-1], CheckpointError),
        ("config.json", b"{", CheckpointError),
        ("config.json", b"[]", CheckpointError),
    ],
    ids=["pickle", "truncated", "no JSON", "no table"],
)
def test_damaged_files(
    hub: FakeHub, home: Path, name: str, content: bytes, kind: type[PhospheneError]
) -> None:
    hub.add(REPO, clip_files(**{name: content}))
    refused(kind, REPO, home)


def test_weights_of_another_hash_leave_nothing(
    hub: FakeHub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lie = {"rfilename": "model.safetensors", "size": len(weights())}
    lie["lfs"] = {"sha256": "0" * 64, "size": len(weights()), "pointerSize": 1}
    real = hub_server.sibling
    monkeypatch.setattr(
        hub_server, "sibling", lambda n, c: lie if n == "model.safetensors" else real(n, c)
    )
    said = refused(HashMismatch, REPO, home)
    assert "/store/" not in said
    assert not list(home.rglob("model.safetensors*"))


def test_names_that_the_hub_does_not_know(hub: FakeHub, home: Path) -> None:
    assert "no model 'org/none' on the hub" in refused(UnknownModel, "org/none", home)
    assert "no revision 'v9'" in refused(UnknownModel, f"{REPO}@v9", home)


def test_terms_to_agree_to(hub: FakeHub, home: Path) -> None:
    hub.gated.add(REPO)
    assert f"https://huggingface.co/{REPO}" in refused(WeightsError, REPO, home)


def test_offline(hub: FakeHub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in refused(WeightsError, REPO, home)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    said = refused(WeightsError, REPO, home)
    assert f"check the network and `phosphene models pull {REPO}`" in said


def test_closing_stops_and_the_next_try_goes_on(hub: FakeHub, home: Path) -> None:
    big = weights(1_000_000)
    hub.add(REPO, clip_files(**{"model.safetensors": big}))
    steps = fetch.pull(REPO, home)
    for step in steps:
        if step.done > 300_000:
            break
    steps.close()  # type: ignore[attr-defined]
    (part,) = home.rglob("model.safetensors.part")
    assert 0 < part.stat().st_size < len(big)
    assert pull(REPO, home).bytes == len(big)
    assert not list(home.rglob("*.part"))


def test_a_path_that_exists_comes_first(
    hub: FakeHub, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(REPO, home)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / REPO
    folder.mkdir(parents=True)
    for name, content in clip_files(**{"model.safetensors": weights(8)}).items():
        if "/" not in name:
            (folder / name).write_bytes(content)
    assert registry.card(REPO, home).parameters == 8


def test_shipped_cards_of_the_hub(hub: FakeHub, home: Path) -> None:
    shipped = Card(
        name="demo",
        family="features",
        arch="x",
        summary="demo",
        parameters=1,
        licence="none",
        source="none",
        trained_on="none",
        bytes=10,
        hub={"repo": REPO, "revision": COMMIT},  # type: ignore[arg-type]
    )
    steps = list(fetch.fetch(shipped, home))
    assert steps[-1].done == steps[-1].total == 10
    folder = fetch.located(shipped, home)
    assert isinstance(folder, Path)
    assert (folder / "open_clip_model.safetensors").read_bytes() == weights(7)
    assert (folder / "onnx" / "config.json").is_file()
    assert not (folder / "pytorch_model.bin").exists()
    assert fetch.identity(shipped, home) == COMMIT


def test_a_long_name_gets_a_card_too() -> None:
    wanted = hub_name(f"{'o' * 60}/{'N' * 90}")
    assert wanted is not None
    assert len(wanted.slug) == 80
