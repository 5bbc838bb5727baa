"""What decides pixels is told by hashes: parts of models, pictures, the weights' precision."""

import hashlib

import pytest
import torch
from torch import nn

from phosphene.core.errors import ImageError
from phosphene.studio.provenance import dtype_of, input_hashes, model_hashes


def test_a_model_is_told_with_its_parts(zoo):
    found = model_hashes(["tiny-diffusion", "tiny-judge"], zoo)
    assert set(found) == {"tiny-diffusion", "tiny-vqgan", "tiny-text", "tiny-judge"}
    assert found["tiny-judge"] == zoo.card("tiny-judge").sha256
    assert len(set(found.values())) == 4


def test_pictures_are_told_by_their_bytes(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"some bytes")
    assert input_hashes([str(path)]) == {str(path): hashlib.sha256(b"some bytes").hexdigest()}


def test_a_picture_that_is_gone_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"cannot read '.*gone.png': No such file"):
        input_hashes([str(tmp_path / "gone.png")])


def test_precision_is_that_of_the_weights():
    assert dtype_of(nn.Linear(1, 1).to(torch.bfloat16)) == "bfloat16"
    assert dtype_of(nn.Identity()) == "none"
    assert dtype_of("no module") == "none"
