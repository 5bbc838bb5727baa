"""Weights of words reach the tokens that they belong to, and no others."""

from pathlib import Path

import pytest
import torch

from phosphene.families.diffusion.wording import is_plain, token_weights, unread, weighed
from tests.families.diffusion.tiny_pipelines import NUM_TOKENS, tokenizer


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    return tokenizer(Path(tmp_path_factory.mktemp("tokenizer")) / "x")


def test_plain():
    assert is_plain((("a", 1.0), ("b", 1.0)))
    assert is_plain(())
    assert not is_plain((("a", 1.0), ("b", 1.1)))


def test_each_token_has_the_weight_of_its_words(letters):
    weights = token_weights(letters, (("a ", 1.0), ("RED ", 1.5), ("fox", -0.5)))
    assert weights.tolist() == [1, 1, 1.5, 1.5, 1.5, -0.5, -0.5, -0.5] + [1] * (NUM_TOKENS - 8)
    assert token_weights(letters, ()).tolist() == [1] * NUM_TOKENS


def test_a_long_prompt_is_cut_off(letters):
    weights = token_weights(letters, (("x" * 40, 2.0),))
    assert weights.tolist() == [1] + [2] * (NUM_TOKENS - 2) + [1]
    assert unread(letters, "x" * 40) == 40 - (NUM_TOKENS - 2)
    assert unread(letters, "x" * (NUM_TOKENS - 2)) == unread(letters, "") == 0


def test_the_formula():
    states, empty = torch.randn(1, 4, 3), torch.randn(1, 4, 3)
    found = weighed(states, empty, torch.tensor([1.0, 0.0, 2.0, -1.0]))
    assert torch.equal(found[:, 0], states[:, 0])
    torch.testing.assert_close(found[:, 1], empty[:, 1])
    torch.testing.assert_close(found[:, 2], 2 * states[:, 2] - empty[:, 2])
    torch.testing.assert_close(found[:, 3], 2 * empty[:, 3] - states[:, 3])
