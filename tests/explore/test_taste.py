"""Taste: what it proposes is nearer to what was starred, the more stars the better."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.core.errors import LatentMismatch
from phosphene.core.latent import Latent, Space
from phosphene.core.rng import Rng
from phosphene.explore.breed import Genes, likeness
from phosphene.explore.taste import Taste, learnt

few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**31)
SIZE = 100
LITTERS, SIBLINGS = 40, 16


def genes(seed, size=SIZE, classes=None):
    weights = None if classes is None else torch.tensor([classes])
    return Genes(Latent(Space.Z, Rng((seed,)).normal(size)), weights)


def draws(seed, count):
    return [genes(seed + 1000 + i) for i in range(count)]


def moved(one, by):
    return Genes(one.latent.with_data(one.latent.data + by), one.classes)


@few
@given(seed=seeds, number=st.integers(0, 20))
def test_without_stars_all_are_liked_the_same(seed, number):
    taste = learnt([], draws(seed, number))
    candidates = draws(seed + 50_000, SIBLINGS)
    assert {taste.liking(one) for one in candidates} == {0.0}
    assert taste.best(candidates) == 0


@pytest.mark.slow
@few
@given(seed=seeds)
def test_what_is_proposed_is_nearer_to_the_starred(seed):
    starred, others = draws(seed, 3), draws(seed + 100, 9)
    taste = learnt(starred, others)

    def nearness(one, to):
        return sum(likeness(one, other) for other in to) / len(to)

    litters = [draws(seed + 50_000 + 100 * i, SIBLINGS) for i in range(LITTERS)]
    best = [litter[taste.best(litter)] for litter in litters]
    plain = [litter[0] for litter in litters]
    for to, sign in ((starred, 1), (others, -1)):
        gain = sum(nearness(a, to) - nearness(b, to) for a, b in zip(best, plain, strict=True))
        assert sign * gain > 0


@pytest.mark.slow
def test_the_more_stars_the_better():
    """Somebody likes what points in a hidden direction; how much of it do proposals have?"""
    hidden = Rng((1,)).fork("hidden").normal(SIZE)[0]
    hidden = hidden / hidden.norm()
    gained = []
    for number in (0, 4, 16, 64, 256):
        seen = draws(7, number)
        of = [float(one.latent.data[0] @ hidden) for one in seen]
        starred = [one for one, much in zip(seen, of, strict=True) if much > 0.5]
        others = [one for one, much in zip(seen, of, strict=True) if much <= 0.5]
        taste = learnt(starred, others)
        litters = [draws(90_000 + 100 * i, SIBLINGS) for i in range(200)]
        best = [litter[taste.best(litter)] for litter in litters]
        gained.append(float(torch.stack([one.latent.data[0] @ hidden for one in best]).mean()))
    assert gained == sorted(gained)
    assert abs(gained[0]) < 0.2
    assert gained[-1] > 1.0  # of 1.77, which who knows the direction would get


@few
@given(seed=seeds)
def test_the_solution_is_the_smallest_of_what_it_minimises(seed):
    starred, others = draws(seed, 4), draws(seed + 100, 5)
    taste = learnt(starred, others)
    x = torch.cat([one.latent.data for one in (*starred, *others)]).double() / taste.scales[0]
    y = torch.tensor([1.0] * 4 + [-0.8] * 5).double()

    def loss(direction):
        return float((y - x @ direction).square().sum() + direction.square().sum())

    for step in Rng((seed,)).fork("steps").normal(5, SIZE)[0].double():
        assert loss(taste.direction) < loss(taste.direction + 1e-3 * step)


@few
@given(seed=seeds, scale=st.floats(0.1, 10))
def test_neither_length_nor_place_of_the_space_matter(seed, scale):
    starred, others, candidates = draws(seed, 3), draws(seed + 100, 4), draws(seed + 200, 8)
    centre = genes(seed + 300).latent.data[0]

    def elsewhere(ones):
        return [moved(Genes(o.latent.with_data(o.latent.data * scale)), centre) for o in ones]

    plain = learnt(starred, others)
    there = learnt(elsewhere(starred), elsewhere(others), centre)
    likings = [plain.liking(one) for one in candidates]
    assert [there.liking(o) for o in elsewhere(candidates)] == pytest.approx(likings, abs=1e-4)


def test_the_order_of_stars_does_not_matter():
    starred, others = draws(1, 3), draws(100, 4)
    a, b = learnt(starred, others), learnt(starred[::-1], others[::-1])
    torch.testing.assert_close(a.direction, b.direction)


def test_classes_count_as_much_as_the_latent():
    red, blue = [1.0, 0.0], [0.0, 1.0]
    starred = [genes(i, classes=red) for i in range(4)]
    others = [genes(10 + i, classes=blue) for i in range(4)]
    taste = learnt(starred, others)
    likings = [taste.liking(genes(50 + i, classes=c)) for c in (red, blue) for i in range(20)]
    assert sum(likings[:20]) / 20 > sum(likings[20:]) / 20 + 0.5


def test_a_star_alone_is_followed_too():
    (star,) = draws(3, 1)
    taste = learnt([star], [])
    assert taste.liking(star) > 0
    assert taste.best([*draws(70, 9), star]) == 9


def test_genes_of_another_model_are_refused():
    taste = learnt(draws(1, 2), [])
    with pytest.raises(LatentMismatch, match="genes of 12"):
        taste.liking(genes(1, 12))
    with pytest.raises(LatentMismatch, match="do not make one taste"):
        learnt([genes(1, 12)], [genes(1, 13)])
    assert Taste(torch.zeros(0)).liking(genes(1, 12)) == 0
