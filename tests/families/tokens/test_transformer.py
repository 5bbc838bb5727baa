"""The token transformer: nothing sees what comes later, and a cache changes nothing."""

import pytest
import torch

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.rng import Rng
from phosphene.families.tokens.transformer import (
    NEIGHBOURS,
    TokenTransformerConfig,
    neighbours_of,
    read,
)
from tests.families.tokens.toys import TINY_TOKENS, transformer
from tests.reader import Reader
from tests.sketchbook import SHOWN

COUNT, VOCAB = TINY_TOKENS.num_places, TINY_TOKENS.vocab
WORDS = read(Reader(), ["a red fox", "owl"], TINY_TOKENS.text_length)


def some_tokens(seed: int = 0, rows: int = 2) -> torch.Tensor:
    seeds = tuple(range(seed, seed + rows))
    return Rng(seeds, "/test").integers(COUNT, high=VOCAB)


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("start", [0, 1, 3, 4, 5, COUNT - 1])
@pytest.mark.parametrize("shown", [{}, SHOWN])
def test_a_cache_changes_nothing(shown, size, start) -> None:
    """Wherever it is begun: in the middle of a group, too."""
    network, tokens = transformer(group_size=size, **shown), some_tokens()
    words = WORDS._replace(sketch=some_tokens(7)) if shown else WORDS
    whole = network(tokens[:, :-1], words)
    assert whole.shape == (2, COUNT, VOCAB)
    logits, cache = network.begin(tokens[:, :start], words)
    torch.testing.assert_close(logits, whole[:, start], atol=1e-4, rtol=1e-4)
    for place in range(start + 1, COUNT):
        logits = network.go_on(tokens[:, :place], cache)
        torch.testing.assert_close(logits, whole[:, place], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_what_comes_later_changes_nothing_and_what_came_before_does(size) -> None:
    network, tokens = transformer(group_size=size), some_tokens(rows=1)
    words = read(Reader(), ["a red fox"], TINY_TOKENS.text_length)
    before = network(tokens[:, :-1], words)
    for place in range(COUNT - 1):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % VOCAB
        apart = (network(changed[:, :-1], words) - before).abs().amax(dim=(0, 2))
        assert apart[: place + 1].max() < 1e-5
        assert apart[place + 1 :].min() > 1e-5


@pytest.mark.parametrize("size", [1, 2, 4])
def test_all_of_a_sketch_is_seen_from_the_first_token_on_that_is_near(size) -> None:
    """A place of it changes what is said one row above and a place before, at the earliest."""
    network, tokens = transformer(group_size=size, **SHOWN), some_tokens(rows=1)
    words = read(Reader(), ["a red fox"], TINY_TOKENS.text_length)
    sketch = some_tokens(7, rows=1)
    before = network(tokens[:, :-1], words._replace(sketch=sketch))
    for place in range(COUNT):
        changed = sketch.clone()
        changed[:, place] = (changed[:, place] + 1) % VOCAB
        got = network(tokens[:, :-1], words._replace(sketch=changed))
        apart = (got - before).abs().amax(dim=(0, 2))
        assert apart[place] > 1e-4
        row = place // TINY_TOKENS.grid_size
        if row > 1:
            assert apart[: (row - 1) * TINY_TOKENS.grid_size].max() < 1e-5
        if row:  # seen from the place above it, too
            assert apart[place - TINY_TOKENS.grid_size] > 1e-4


def test_no_sketch_is_one_that_shows_nothing() -> None:
    network, tokens = transformer(**SHOWN), some_tokens()
    blank = WORDS._replace(sketch=torch.full((2, COUNT), -1))
    without = network(tokens[:, :-1], WORDS)
    torch.testing.assert_close(network(tokens[:, :-1], blank), without)
    drawn = WORDS._replace(sketch=some_tokens(7))
    assert not torch.allclose(network(tokens[:, :-1], drawn), without)


def test_a_network_without_sketches_looks_at_none() -> None:
    network, tokens = transformer(), some_tokens()
    drawn = WORDS._replace(sketch=some_tokens(7))
    assert torch.equal(network(tokens[:, :-1], drawn), network(tokens[:, :-1], WORDS))


def test_each_row_is_its_own() -> None:
    network, tokens = transformer(), some_tokens()
    both = network(tokens[:, :-1], WORDS)
    alone = network(tokens[1:, :-1], read(Reader(), ["owl"], TINY_TOKENS.text_length))
    torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=1e-4)


def test_every_word_matters_up_to_the_last() -> None:
    network, tokens = transformer(), some_tokens(rows=1)
    length = TINY_TOKENS.text_length
    told = read(Reader(), ["one two three four five six"], length)
    before = network(tokens[:, :-1], told)
    for place in range(1 + length):
        states = told.states.clone()
        states[:, place] *= 2
        assert not torch.allclose(network(tokens[:, :-1], told._replace(states=states)), before)
    # the last words of a long sentence count in its mean
    other = read(Reader(), ["one two three four five seven"], length)
    assert not torch.allclose(network(tokens[:, :-1], other), before)


def test_a_sentence_is_brought_to_one_length() -> None:
    alone = read(Reader(), ["owl"], 4)
    together = read(Reader(), ["red fox there again and again", "owl"], 4)
    assert together.states.shape == (2, 5, TINY_TOKENS.text_dim)
    torch.testing.assert_close(together.states[1:], alone.states)
    assert alone.present.tolist() == [[True, True, True, False, False]]
    assert (alone.states[:, 3:] == 0).all()
    mean = alone.states[:, 1:3].mean(dim=1)
    cosine = torch.cosine_similarity(mean, alone.states[:, 0])
    torch.testing.assert_close(cosine, torch.ones(1))


def test_neighbours_lie_before_a_place_and_in_the_picture() -> None:
    table = neighbours_of(4)
    assert table.shape == (16, len(NEIGHBOURS))
    assert (table < torch.arange(16)[:, None]).all()
    assert (table[0] == -1).all()
    # of row 1, column 3: left of it, further left, ..., above it, nothing above to the right
    assert table[7].tolist() == [6, 5, 4, 2, 3, -1, -1]
    assert table[8].tolist() == [-1, -1, -1, -1, 4, 5, 0]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("width", 0, "width is 0"),
        ("vocab", 2**21, "vocab is 2097152"),
        ("heads", 3, "width 16 is no multiple of its heads, 3"),
        ("group_size", 3, "grid_size 4 is no multiple of the group_size 3"),
        ("text", "", "text should be the name"),
    ],
)
def test_a_wrong_shape_is_named(field, value, said) -> None:
    with pytest.raises(RecipeError, match=said):
        TokenTransformerConfig(**{**TINY_TOKENS.to_dict(), field: value})
    with pytest.raises(CheckpointError, match=said):
        TokenTransformerConfig.from_dict({**TINY_TOKENS.to_dict(), field: value})


def test_an_unknown_field_is_no_config() -> None:
    with pytest.raises(CheckpointError, match="depth"):
        TokenTransformerConfig.from_dict({"depth": 3})


def test_the_embedded_shape_is_small_enough() -> None:
    """35 MB in half precision."""
    with torch.device("meta"):
        network = type(transformer())(TokenTransformerConfig())
    assert 2 * sum(p.numel() for p in network.parameters()) < 35e6
