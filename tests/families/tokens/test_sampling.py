"""Drawing tokens: each cut as by brute force, guidance as the formula says, known tokens kept."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from phosphene.core.protocols import Choice
from phosphene.core.rng import Rng
from phosphene.families.tokens.sampling import (
    Known,
    Sampling,
    Term,
    draw,
    first_row,
    numbers,
    picked,
    probabilities,
)
from phosphene.families.tokens.transformer import Cache, TokenTransformer, Words, read
from tests.families.tokens.toys import TINY_TOKENS, transformer
from tests.reader import Reader

COUNT, SIZE, LENGTH = TINY_TOKENS.num_places, TINY_TOKENS.grid_size, TINY_TOKENS.text_length
FREE = Choice()
GREEDY = Choice(temperature=0)
SEEDS = Rng((3, 4), "/test")


def told(*texts: str) -> Words:
    return read(Reader(), texts, LENGTH)


def drawn(network, texts, u, sampling, unsaid="") -> list[Tensor]:
    return list(draw(network, [Term(told(*texts))], told(*[unsaid] * len(texts)), u, sampling))


def by_hand(logits: list[float], temperature: float, top_k: int, top_p: float) -> list[float]:
    """The same, token by token."""
    weights = [float(x) for x in torch.tensor(logits, dtype=torch.float64).div(temperature).exp()]
    order = sorted(range(len(weights)), key=lambda i: (-weights[i], i))
    order = order[: top_k or len(order)]
    total, kept, reached = sum(weights[i] for i in order), [], 0.0
    for i in order:
        if reached >= top_p:
            break
        kept.append(i)
        reached += weights[i] / total
    whole = sum(weights[i] for i in kept)
    return [weights[i] / whole if i in kept else 0.0 for i in range(len(weights))]


LOGITS = st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=7)


@given(LOGITS, st.floats(0.2, 5), st.integers(0, 8), st.floats(0.05, 1))
def test_cuts_are_those_by_hand(logits, temperature, top_k, top_p) -> None:
    choice = Choice(temperature=temperature, top_k=top_k, top_p=top_p)
    got = probabilities(torch.tensor([logits]), choice)[0]
    wanted = torch.tensor(by_hand(logits, temperature, top_k, top_p), dtype=torch.float64)
    # where the sum comes to p but for rounding, one token more or less is right
    if (got > 0).sum() == (wanted > 0).sum():
        torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-6)
    else:
        edge = torch.tensor(by_hand(logits, temperature, top_k, 1.0)).sort(descending=True).values
        assert (edge.cumsum(0) - top_p).abs().min() < 1e-6
    assert float(got.sum()) == pytest.approx(1)


def test_no_temperature_is_the_likeliest() -> None:
    got = probabilities(torch.tensor([[0.0, 2.0, 1.0], [5.0, 2.0, 1.0]]), GREEDY)
    assert got.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_tokens_come_as_often_as_they_should() -> None:
    """An even comb of u meets each token in proportion, and never one that was cut."""
    choice = Choice(temperature=0.7, top_k=3, top_p=0.9)
    chances = probabilities(torch.tensor([[0.3, -1.0, 1.2, 0.1, -0.5]]), choice)
    u = (torch.arange(10_000) + 0.5) / 10_000
    tokens = picked(chances.expand(len(u), -1), u)
    share = torch.bincount(tokens, minlength=5) / len(u)
    torch.testing.assert_close(share.double(), chances[0], atol=2e-4, rtol=0)
    assert ((share > 0) == (chances[0] > 0)).all()


def test_the_ends_of_u_are_tokens_that_can_come() -> None:
    chances = torch.tensor([[0.0, 0.5, 0.0, 0.5, 0.0]]).expand(2, -1)
    assert picked(chances, torch.tensor([0.0, 1 - 2**-24])).tolist() == [1, 3]


def test_a_candidate_is_its_own_however_many_there_are() -> None:
    few, many = numbers(SEEDS, 5, 2), numbers(SEEDS, 5, 3)
    assert torch.equal(few.view(2, 2, 5), many.view(2, 3, 5)[:, :2])
    assert torch.equal(many[3:], numbers(Rng((4,), "/test"), 5, 3))
    assert len(many.unique()) == many.numel()


def test_each_picture_is_its_seeds() -> None:
    network, sampling = transformer(), Sampling(choice=FREE, guidance_scale=2.0)
    both = drawn(network, ["fox", "owl"], numbers(SEEDS, COUNT), sampling)[-1]
    alone = drawn(network, ["owl"], numbers(Rng((4,), "/test"), COUNT), sampling)[-1]
    assert torch.equal(both[1:], alone)
    assert not torch.equal(both[0], both[1])


def test_it_draws_from_what_the_whole_network_says() -> None:
    """Token by token against the network without a cache, guided by hand."""
    network, u = transformer(), numbers(SEEDS, COUNT)
    choice = Choice(temperature=0.8, top_k=9, top_p=0.9)
    sampling = Sampling(choice=choice, guidance_scale=2.5)
    got = drawn(network, ["red fox", "owl"], u, sampling, unsaid="dull")[-1]
    words, unsaid = told("red fox", "owl"), told("dull", "dull")
    tokens = torch.zeros(2, 0, dtype=torch.int64)
    for place in range(COUNT):
        c, n = network(tokens, words)[:, -1], network(tokens, unsaid)[:, -1]
        chances = probabilities(n + 2.5 * (c - n), choice)
        tokens = torch.cat([tokens, picked(chances, u[:, place])[:, None]], dim=1)
    assert torch.equal(got, tokens)


class Parrot(TokenTransformer):
    """Its logits are the sentence's first number times a fixed pattern, whatever came before."""

    pattern = Rng((1,)).normal(TINY_TOKENS.vocab)

    def __init__(self) -> None:
        super().__init__(TINY_TOKENS)
        self.rows_asked = 0

    def begin(self, tokens: Tensor, words: Words) -> tuple[Tensor, Tensor]:
        self.rows_asked = len(words.states)
        said = words.states[:, 0, :1] * self.pattern
        return said, said

    def go_on(self, tokens: Tensor, cache: Tensor) -> Tensor:
        assert len(tokens) == len(cache)
        return cache


def say(number: float) -> Words:
    states = torch.zeros(1, 1 + LENGTH, TINY_TOKENS.text_dim)
    states[:, 0, 0] = number
    return Words(states, torch.ones(1, 1 + LENGTH, dtype=torch.bool))


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_guidance_is_the_formula(scale, weight) -> None:
    c, d, n = 1.0, -0.4, 0.3
    terms = [Term(say(c), 1 - weight), Term(say(d), weight)]
    u, network = numbers(Rng((5,)), COUNT), Parrot()
    *_, got = draw(network, terms, say(n), u, Sampling(choice=FREE, guidance_scale=scale))
    towards = (1 - weight) * c + weight * d
    logits = (n + scale * (towards - n) if scale != 1 else towards) * Parrot.pattern
    chances = probabilities(logits.expand(COUNT, -1), FREE)
    assert torch.equal(got[0], picked(chances, u[0]))
    # a term that counts nothing and a negative prompt that is not led away from cost nothing
    assert network.rows_asked == (weight != 1) + (weight != 0) + (scale != 1)


def test_a_part_is_told_its_own_words_alone() -> None:
    """Everywhere it is as if only those were said, nowhere as if they were not; row by row."""
    network, u = transformer(), numbers(SEEDS, COUNT)
    sampling = Sampling(choice=FREE, guidance_scale=3.0)
    whole, part = told("fox", "fox"), told("owl", "owl")
    shares = torch.tensor([[1.0], [0.0]]).expand(2, COUNT)
    terms = [Term(whole), Term(part, 1.0, shares)]
    *_, got = draw(network, terms, told("", ""), u, sampling)
    *_, foxes = draw(network, [Term(whole)], told("", ""), u, sampling)
    *_, owls = draw(network, [Term(part)], told("", ""), u, sampling)
    assert torch.equal(got, torch.stack([owls[0], foxes[1]]))
    assert not torch.equal(foxes, owls)


def test_it_comes_row_by_row() -> None:
    got = drawn(transformer(), ["fox", "owl"], numbers(SEEDS, COUNT), Sampling(choice=FREE))
    assert [tokens.shape for tokens in got] == [(2, SIZE * (row + 1)) for row in range(SIZE)]
    for tokens in got:
        assert torch.equal(tokens, got[-1][:, : tokens.shape[1]])


@pytest.mark.slow
@given(st.lists(st.booleans(), min_size=COUNT, max_size=COUNT))
def test_known_tokens_are_kept_and_the_others_are_told_of_them(anew) -> None:
    network, u = transformer(), numbers(Rng((3,), "/test"), COUNT)
    tokens = Rng((8,)).integers(COUNT, high=TINY_TOKENS.vocab)
    known = Known(tokens, torch.tensor(anew))
    sampling = Sampling(choice=FREE, known=known)
    got = drawn(network, ["fox"], u, sampling)
    last = got[-1]
    assert torch.equal(last[:, ~known.anew], tokens[:, ~known.anew])
    first = first_row(known, SIZE)
    assert [part.shape[1] for part in got] == [SIZE * (row + 1) for row in range(first, SIZE)]
    # each that was drawn is what the network says after all that stands before it
    logits = network(last[:, :-1], told("fox"))
    wanted = picked(probabilities(logits[0], FREE), u[0])
    assert torch.equal(last[0, known.anew], wanted[known.anew])


def test_nothing_is_computed_after_the_last_token_that_is_drawn() -> None:
    class Counting(Parrot):
        calls = 0

        def go_on(self, tokens: Tensor, cache: Cache) -> Tensor:
            self.calls += 1
            return super().go_on(tokens, cache)

    anew = torch.zeros(COUNT, dtype=torch.bool)
    anew[3:6] = True
    known = Known(torch.zeros(1, COUNT, dtype=torch.int64), anew)
    network = Counting()
    sampling = Sampling(choice=FREE, known=known)
    *_, got = draw(network, [Term(say(1.0))], say(0.0), numbers(Rng((5,)), COUNT), sampling)
    assert got.shape == (1, COUNT)
    assert network.calls == 2
