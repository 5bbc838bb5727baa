"""The text tower: any text at all, one unit vector each, the same in any batch."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from phosphene.core.errors import CheckpointError, WeightsError
from phosphene.nn.bert import Bert, BertShape
from phosphene.prompting.emoji import EmojiNames
from phosphene.prompting.text import MAX_TOKENS, TextTower, build
from phosphene.zoo import Zoo, home

LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz")]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "green", "heart", *LETTERS]
CONFIG: dict[str, Any] = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": TextTower.dim,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "intermediate_size": 16,
    "max_position_embeddings": 512,
    "hidden_act": "gelu",
}


def tiny_tokenizer() -> Tokenizer:
    vocabulary = {word: i for i, word in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # As in the published file, whose own settings must not win over ours.
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    return tokenizer


def tiny_encoder() -> Bert:
    network = Bert(BertShape.from_config(CONFIG))
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    return network


@pytest.fixture(scope="module")
def tower() -> TextTower:
    return TextTower(tiny_encoder(), tiny_tokenizer(), EmojiNames.load())


HARD = [
    "",
    "   ",
    "green heart",
    "绿色的心 и сердце",
    "\x00\x1b[31m\r\n\t",
    "\ud83d lone half",
    "a" * 10_000,
    "green " * 10_000,
    "💚" * 10_000,
    "👩🏽‍🤝‍👨🏿🇫🇷",
]


def test_hard_texts(tower: TextTower) -> None:
    vectors = tower.encode(HARD)
    assert vectors.shape == (len(HARD), 384)
    assert vectors.isfinite().all()
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(HARD)))


@pytest.mark.slow
def test_a_text_does_not_depend_on_its_neighbours(tower: TextTower) -> None:
    together = tower.encode(HARD)
    alone = torch.cat([tower.encode([text]) for text in HARD])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_order_is_kept_across_chunks(tower: TextTower) -> None:
    texts = ["green " * (i % 7) for i in range(150)]
    vectors = tower.encode(texts)
    torch.testing.assert_close(vectors[0], vectors[147], rtol=0, atol=1e-5)
    assert not torch.allclose(vectors[0], vectors[1])


@pytest.mark.slow
def test_deterministic(tower: TextTower) -> None:
    assert torch.equal(tower.encode(HARD), tower.encode(HARD))


def test_emoji_and_control_characters_are_read(tower: TextTower) -> None:
    vectors = tower.encode(["green heart", "💚", "GREEN\x07heart"])
    torch.testing.assert_close(vectors[0], vectors[1])
    torch.testing.assert_close(vectors[0], vectors[2])


def test_tokens(tower: TextTower) -> None:
    states, mask = tower.tokens(["green heart", "", "green " * 1000])
    assert mask.sum(dim=1).tolist() == [4, 2, MAX_TOKENS]
    assert states.shape == (3, MAX_TOKENS, 384)
    assert not states[~mask].any()


def test_no_texts(tower: TextTower) -> None:
    assert tower.encode([]).shape == (0, 384)
    states, mask = tower.tokens([])
    assert states.shape == (0, 0, 384)
    assert mask.shape == (0, 0)


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(codec=None)))
def test_any_text(tower: TextTower, text: str) -> None:
    assert tower.encode([text]).isfinite().all()


class FakeShelf:
    device = torch.device("cpu")
    dtype = None

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def read(self, file_name: str) -> bytes:
        return self.files[file_name]

    def model(self, name: str) -> Any:
        raise NotImplementedError

    def folder(self) -> Path:
        raise NotImplementedError


def files(**change: bytes) -> dict[str, bytes]:
    whole = {
        "config.json": json.dumps(CONFIG).encode(),
        "tokenizer.json": tiny_tokenizer().to_str().encode(),
    }
    return whole | {f"{name}.json": content for name, content in change.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": b"{"}, "config.json is damaged"),
        ({"tokenizer": b"{"}, "tokenizer.json is damaged"),
        ({"config": json.dumps({**CONFIG, "hidden_size": 8}).encode()}, "does not fit Bert"),
    ],
)
def test_damaged_folders(change: dict[str, bytes], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        build({}, {}, FakeShelf(files(**change)))


@pytest.fixture(scope="module")
def minilm() -> TextTower:
    try:
        loaded: TextTower = Zoo(home()).load("minilm")
    except WeightsError as error:
        pytest.skip(str(error))
    return loaded


def test_minilm_knows_what_is_close(minilm: TextTower) -> None:
    puppy, dog, plane, emoji = minilm.encode(["puppy", "dog face", "airplane", "🐶"])
    assert puppy @ dog > puppy @ plane > dog @ plane
    torch.testing.assert_close(dog, emoji)
    # Values measured with transformers' BertModel on the same file.
    assert (puppy @ dog).item() == pytest.approx(0.547, abs=0.002)
    assert (dog @ plane).item() == pytest.approx(0.202, abs=0.002)
