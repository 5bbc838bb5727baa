"""Checkpoints go by lines of a listing; no other name reaches the file system."""

import pytest

from phosphene.core.errors import NotFound, RecipeError
from phosphene.studio.checkpoint_folders import (
    CheckpointKind,
    checkpoint_file,
    checkpoint_roots,
    checkpoints,
    config_beside,
)
from phosphene.zoo.convert import KINDS

LISTED = ["more/G.pth", "open/Net.PKL", "open/last.ckpt"]
NO_NAMES = [
    *("", ".", "last.ckpt", "open", "open/", "open/.", "OPEN/last.ckpt", "open//last.ckpt"),
    *("open/../out/secret.ckpt", "../x", "out/secret.ckpt", "/etc/passwd", "\0", "open/\udcff"),
    *("open/link.ckpt", "open/inner.ckpt", "open/.hidden.ckpt", "open/a.yaml", "open/dir.ckpt"),
]


@pytest.fixture
def roots(tmp_path):
    """Two open folders, and much that is no checkpoint of theirs."""
    for name in ("open/dir.ckpt", "more", "out"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("open/last.ckpt", "open/Net.PKL", "open/.hidden.ckpt", "open/a.yaml"):
        (tmp_path / name).write_bytes(b"x")
    for name in ("more/G.pth", "out/secret.ckpt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "open" / "link.ckpt").symlink_to(tmp_path / "out" / "secret.ckpt")
    (tmp_path / "open" / "inner.ckpt").symlink_to(tmp_path / "open" / "last.ckpt")
    return checkpoint_roots([tmp_path / "open", tmp_path / "more"])


def test_kinds_are_those_that_can_be_converted():
    assert [str(kind) for kind in CheckpointKind] == list(KINDS)


def test_the_listing_has_files_alone(roots, tmp_path):
    assert checkpoints(roots) == LISTED
    assert checkpoints([tmp_path / "nowhere"]) == []
    assert checkpoint_file(roots, "open/last.ckpt") == tmp_path / "open" / "last.ckpt"


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_not_in_the_listing_is_no_checkpoint(roots, name, tmp_path):
    with pytest.raises(NotFound, match="checkpoint: no ") as caught:
        checkpoint_file(roots, name)
    assert str(tmp_path) not in str(caught.value)
    assert str(caught.value).isprintable()


def test_folders_have_to_be_there_and_have_names_of_their_own(tmp_path):
    (tmp_path / "a" / "x").mkdir(parents=True)
    (tmp_path / "b" / "x").mkdir(parents=True)
    with pytest.raises(RecipeError, match="nowhere' is no folder"):
        checkpoint_roots([tmp_path / "nowhere"])
    with pytest.raises(RecipeError, match="two folders are called 'x'"):
        checkpoint_roots([tmp_path / "a" / "x", tmp_path / "b" / "x"])
    twice = checkpoint_roots([tmp_path / "a" / "x", tmp_path / "b" / ".." / "a" / "x"])
    assert twice == (tmp_path / "a" / "x",)


def test_a_config_is_looked_for_beside_the_checkpoint(tmp_path):
    checkpoint = tmp_path / "vqgan.ckpt"
    with pytest.raises(RecipeError, match=r"put it beside 'vqgan.ckpt', as 'vqgan.yaml'"):
        config_beside("taming", checkpoint)
    (tmp_path / "model.yaml").touch()
    assert config_beside("taming", checkpoint) == tmp_path / "model.yaml"
    (tmp_path / "other.yml").touch()
    with pytest.raises(RecipeError, match=r"needs the \.yaml"):
        config_beside("taming", checkpoint)
    (tmp_path / "vqgan.yaml").touch()
    assert config_beside("taming", checkpoint) == tmp_path / "vqgan.yaml"
    assert config_beside("stylegan2", checkpoint) is None


def test_a_config_that_is_a_link_is_none(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").touch()
    (tmp_path / "open").mkdir()
    checkpoint = tmp_path / "open" / "pytorch_model.bin"
    assert config_beside("biggan", checkpoint) is None
    for name in ("pytorch_model.yaml", "config.json"):
        (tmp_path / "open" / name).symlink_to(tmp_path / "out" / "x")
    with pytest.raises(RecipeError, match=r"needs the \.yaml"):
        config_beside("taming", checkpoint)
    with pytest.raises(RecipeError, match="is a link; put a file"):
        config_beside("biggan", checkpoint)
