"""Breeding: lengths and sums stay, and every gene is accounted for."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.core.errors import LatentMismatch, RecipeError
from phosphene.core.latent import Latent, Space
from phosphene.core.rng import Rng
from phosphene.explore.breed import (
    Genes,
    blend,
    cross,
    cross_classes,
    inheritance,
    likeness,
    mutate,
    mutate_classes,
)

few = settings(max_examples=15)
seeds = st.integers(0, 2**31)
shares = st.floats(0, 1)
CENTRE = torch.linspace(-1, 1, 12)


def genes(seed, size=12, classes=None, space=Space.Z):
    weights = None if classes is None else torch.tensor([classes])
    return Genes(Latent(space, Rng((seed,)).normal(size)), weights)


def styles(seed):
    return Genes(Latent(Space.W_PLUS, Rng((seed,)).normal(6, 4)))


def length(one, centre=None):
    return float((one.latent.data - (0 if centre is None else centre)).double().norm())


@few
@given(seed=seeds, share=shares)
def test_a_crossed_child_has_each_gene_from_a_parent(seed, share):
    a, b = genes(seed), genes(seed + 1)
    child = cross(a, b, Rng((seed,)), share)
    found = inheritance(child, a, b)
    assert sorted(found.first + found.second) == list(range(12))
    assert found.between == found.new == found.both == ()
    assert torch.equal(cross(a, b, Rng((seed,)), share).latent.data, child.latent.data)


def test_shares_of_a_cross():
    a, b = genes(1, 4000), genes(2, 4000)
    found = inheritance(cross(a, b, Rng((3,)), 0.25), a, b)
    assert len(found.second) / 4000 == pytest.approx(0.25, abs=0.03)
    assert torch.equal(cross(a, b, Rng((3,)), 0).latent.data, a.latent.data)
    assert torch.equal(cross(a, b, Rng((3,)), 1).latent.data, b.latent.data)


def test_children_of_normal_draws_are_normal_draws():
    a, b = genes(1, 20_000), genes(2, 20_000)
    for child in (
        cross(a, b, Rng((3,))),
        blend(a, b, 0.5),
        mutate(a, b, 0.5),
    ):
        values = child.latent.data[0].double().sort().values
        law = (1 + torch.erf(values / math.sqrt(2))) / 2
        steps = (torch.arange(len(values)) + 0.5) / len(values)
        assert float((law - steps).abs().max()) < 1.63 / math.sqrt(len(values))


def test_in_w_plus_whole_styles_are_inherited():
    a, b = styles(1), styles(2)
    child = cross(a, b, Rng((3,))).latent.data[0]
    from_a = [torch.equal(child[i], a.latent.data[0, i]) for i in range(6)]
    from_b = [torch.equal(child[i], b.latent.data[0, i]) for i in range(6)]
    assert all(x != y for x, y in zip(from_a, from_b, strict=True))
    assert any(from_a)
    assert any(from_b)


@few
@given(seed=seeds, share=shares)
def test_a_blend_has_a_length_between_its_parents(seed, share):
    a, b = genes(seed, space=Space.W), genes(seed + 1, space=Space.W)
    child = blend(a, b, share, CENTRE)
    wanted = (1 - share) * length(a, CENTRE) + share * length(b, CENTRE)
    assert length(child, CENTRE) == pytest.approx(wanted, rel=1e-5)


@few
@given(seed=seeds, strength=shares)
def test_a_mutation_keeps_its_length_and_turns_as_far_as_told(seed, strength):
    a, stranger = genes(seed), genes(seed + 1)
    child = mutate(a, stranger, strength)
    assert length(child) == pytest.approx(length(a), rel=1e-5)
    cosine = torch.cosine_similarity(a.latent.data, child.latent.data)
    assert float(cosine) == pytest.approx(math.cos(strength * math.pi / 2), abs=1e-5)
    about = mutate(a, stranger, strength, CENTRE)
    assert length(about, CENTRE) == pytest.approx(length(a, CENTRE), rel=1e-5)
    assert torch.equal(mutate(a, stranger, 0).latent.data, a.latent.data)


@few
@given(seed=seeds, share=shares)
def test_class_weights_keep_their_sum(seed, share):
    a, b = genes(1, classes=[0.5, 0.5, 0.0]), genes(2, classes=[0.0, 0.0, 1.0])
    children = (cross(a, b, Rng((seed,)), share), blend(a, b, share))
    for child in (*children, mutate_classes(a, Rng((seed,)), share)):
        assert float(child.classes.sum()) == pytest.approx(1, abs=1e-6)
        assert float(child.classes.min()) >= 0
    for child in children:
        torch.testing.assert_close(
            child.classes, torch.tensor([[(1 - share) / 2, (1 - share) / 2, share]])
        )


def test_mutated_classes_reach_every_class():
    a = genes(1, classes=[1.0, 0.0, 0.0])
    reached = {int(mutate_classes(a, Rng((i,)), 0.8).classes.argmax()) for i in range(30)}
    assert reached == {0, 1, 2}
    with pytest.raises(RecipeError, match="knows no classes to mutate"):
        mutate_classes(genes(1), Rng((0,)))


def test_inheritance_tells_each_kind_of_gene():
    def of(*values, classes=None):
        weights = None if classes is None else torch.tensor([classes])
        return Genes(Latent(Space.Z, torch.tensor([values])), weights)

    first, second = of(1.0, 1.0, 1.0, 1.0, 1.0), of(2.0, 2.0, 1.0, 2.0, 2.0)
    found = inheritance(of(1.0, 2.0, 1.0, 1.5, 3.0), first, second)
    assert (found.first, found.second, found.both) == ((0,), (1,), (2,))
    assert (found.between, found.new) == ((3,), (4,))
    assert found.classes == {}
    a, b = of(1.0, classes=[1.0, 0.0, 0.0]), of(1.0, classes=[0.0, 1.0, 0.0])
    assert inheritance(of(1.0, classes=[0.25, 0.75, 0.0]), a, b).classes == {
        0: (0.25, 1.0, 0.0),
        1: (0.75, 0.0, 1.0),
    }


def test_only_relatives_breed():
    for other in (genes(2, 5), genes(2, space=Space.W), genes(2, classes=[1.0])):
        with pytest.raises(LatentMismatch, match="parents of the same model"):
            cross(genes(1), other, Rng((0,)))
        with pytest.raises(LatentMismatch, match="parents of the same model"):
            blend(genes(1), other)
        with pytest.raises(LatentMismatch, match="parents of the same model"):
            mutate(genes(1), other)
    with pytest.raises(LatentMismatch, match="genes of 2 samples"):
        Genes(Latent(Space.Z, torch.zeros(2, 3)))
    with pytest.raises(LatentMismatch):
        Genes(Latent(Space.CODES, torch.zeros(1, 3, 2, 2)))


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_shares_out_of_range(share):
    a, b = genes(1), genes(2)
    for breed in (lambda: cross(a, b, Rng((0,)), share), lambda: blend(a, b, share)):
        with pytest.raises(RecipeError, match=f"share is {share}; use 0 to 1"):
            breed()
    with pytest.raises(RecipeError, match=f"strength is {share}"):
        mutate(a, b, share)


def test_classes_alone_are_crossed():
    a, b = genes(1, classes=[1.0, 0, 0]), genes(2, classes=[0, 1.0, 0])
    child = cross_classes(a, b, 0.25)
    assert torch.equal(child.latent.data, a.latent.data)
    assert child.classes.tolist() == [[0.75, 0.25, 0]]
    with pytest.raises(RecipeError, match="knows no classes to cross"):
        cross_classes(genes(1), genes(2))
    with pytest.raises(RecipeError, match="share is 2"):
        cross_classes(a, b, 2)


def test_likeness_is_the_cosine_from_the_centre():
    a = genes(1)
    assert likeness(a, a) == pytest.approx(1)
    turned = mutate(a, genes(2), 0.5)
    assert likeness(turned, a) == pytest.approx(math.cos(math.pi / 4), abs=1e-5)
    opposite = Genes(a.latent.with_data(2 * CENTRE - a.latent.data))
    assert likeness(opposite, a, CENTRE) == pytest.approx(-1, abs=1e-5)
