"""Weighed words: the formula in closed form, at its marks, and on prompts."""

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.core.rng import Rng
from phosphene.prompting.cutouts import Cutouts
from phosphene.prompting.emphasis import spans_of
from phosphene.prompting.objective import Gaze, PromptObjective
from phosphene.prompting.prompt import parse
from phosphene.prompting.weighing import embed_words

WORDS = ("red", "round", "apple", "table", "a", "on")


class WordCounter:
    """A perceptor whose text embedding is the unit vector along the number of each word."""

    input_size = 8

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        self.asked.append(list(texts))
        counts = [[text.split().count(word) for word in WORDS] for text in texts]
        return F.normalize(torch.tensor(counts).float(), dim=1)

    def encode_image(self, images: Tensor) -> Tensor:
        return F.normalize(images.flatten(1)[:, : len(WORDS)] + 1, dim=1)


def embedded(text: str, encoder: WordCounter | None = None) -> Tensor:
    (row,) = embed_words((encoder or WordCounter()).encode_text, [spans_of(text)])
    return row


def test_the_formula() -> None:
    e = WordCounter().encode_text
    whole, no_red, no_table = e(["red apple on a table", "apple on a table", "red apple on a"])
    wanted = whole + 0.5 * (whole - no_red) - 0.7 * (whole - no_table)
    given = embedded("(red:1.5) apple on a (table:0.3)")
    torch.testing.assert_close(given, F.normalize(wanted, dim=0))


def test_words_that_weigh_more_count_more() -> None:
    at = WORDS.index("red")
    shares = [float(embedded(f"(red:{w}) apple")[at]) for w in (-1, 0, 0.5, 1, 1.5, 3)]
    assert shares == sorted(shares)
    assert shares[0] < 0
    assert shares[1] == pytest.approx(0, abs=1e-6)
    assert float(embedded("red apple")[at]) == shares[3]


@pytest.mark.parametrize("text", ["red apple", "(red:1) apple", "[(red)] apple", r"re\d (apple:1)"])
def test_a_weight_of_1_is_the_plain_text_bit_for_bit(text: str) -> None:
    encoder = WordCounter()
    given = embedded(text, encoder)
    assert torch.equal(given, encoder.encode_text([encoder.asked[0][0]])[0])
    assert len(encoder.asked) == 2  # it was asked once, and once by this test


def test_a_weight_of_0_is_the_text_without_the_words() -> None:
    torch.testing.assert_close(embedded("a (red:0) apple"), embedded("a apple"))


@pytest.mark.parametrize("text", ["(red apple:1.5)", "[red apple]", "(red:2) (apple:2)"])
def test_nothing_stands_out_where_all_is_emphasised(text: str) -> None:
    assert torch.equal(embedded(text), embedded("red apple"))


def test_others_in_the_batch_are_left_alone() -> None:
    rows = embed_words(
        WordCounter().encode_text, [spans_of(t) for t in ("red", "a (red:2) b", "on")]
    )
    assert torch.equal(rows[0], embedded("red"))
    assert torch.equal(rows[1], embedded("a (red:2) b"))
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(3))


def test_what_is_asked_twice_is_encoded_once() -> None:
    encoder = WordCounter()
    embed_words(encoder.encode_text, [spans_of("a (red:2) apple"), spans_of("a (red:3) apple")])
    assert encoder.asked == [["a red apple", "a red apple"], ["a apple"]]


def objective(text: str) -> PromptObjective:
    scene = parse(text).emphasised().scenes[0]
    gaze = Gaze(WordCounter(), Cutouts(policy="whole", count=1, size=8, noise=0.0))
    return PromptObjective.of_scene(scene, (gaze,), Rng((0,)))


def test_a_prompt_asks_for_what_its_brackets_say() -> None:
    made = objective("a (red:1.5) apple:2 | (table:3) | [on a]:2")
    torch.testing.assert_close(made.targets[0][0], embedded("a (red:1.5) apple"))
    torch.testing.assert_close(made.targets[0][1], embedded("table"))
    torch.testing.assert_close(made.weights, torch.tensor([2, 3, 2 / 1.1]))


def test_without_brackets_a_prompt_asks_for_what_it_always_did() -> None:
    made = objective("a red apple | table:2")
    plain = WordCounter().encode_text(["a red apple", "table"])
    assert torch.equal(made.targets[0], plain)
