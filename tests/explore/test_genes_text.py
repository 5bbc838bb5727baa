"""Genes as text: back bit for bit, and damage is told."""

import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.core.latent import Latent, Space
from phosphene.core.rng import Rng
from phosphene.explore.breed import Genes
from phosphene.explore.genes_text import genes_from, genes_text


@pytest.mark.parametrize("shape", [(5,), (4, 3), (512,)])
@pytest.mark.parametrize("num_classes", [0, 3])
def test_genes_come_back(shape, num_classes):
    space = Space.W_PLUS if len(shape) == 2 else Space.Z
    classes = Rng((2,)).uniform(num_classes) if num_classes else None
    genes = Genes(Latent(space, Rng((1,)).normal(*shape)), classes)
    text = genes_text(genes)
    back = genes_from(text)
    assert back.latent.space is space
    assert torch.equal(back.latent.data, genes.latent.data)
    assert back.classes is None if classes is None else torch.equal(back.classes, classes)
    assert genes_text(back) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "z",
        "q|1|AAAAAA==",
        "z|2|AAAAAA==",  # one number for two
        "z|1|AAAA",  # three bytes
        "z|1|!!!!!!!!",
        "z|0|",
        "z|-1|AAAAAA==",
        "z|x|AAAAAA==",
        "z|1|AADAfw==",  # not a number
        "z|1|AAAAAA==|1",
    ],
)
def test_damage(text):
    with pytest.raises(RecipeError) as caught:
        genes_from(text)
    assert "\n" not in str(caught.value)
