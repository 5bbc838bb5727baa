"""The encoder gives what transformers' BertModel gives."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel

from phosphene.core.errors import CheckpointError
from phosphene.nn.bert import Bert

CONFIG: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 16,
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "unknown_keys": "are ignored",
}


@pytest.fixture(scope="module")
def reference() -> BertModel:
    model = BertModel(BertConfig(**CONFIG))
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    return model.eval()


@pytest.fixture(scope="module")
def state(reference: BertModel) -> dict[str, Tensor]:
    return {**reference.state_dict(), "embeddings.position_ids": torch.arange(16)[None]}


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_conformance(reference: BertModel, state: dict[str, Tensor], prefix: str) -> None:
    ids = torch.arange(21).reshape(3, 7) * 7 % 50
    mask = torch.arange(7)[None] < torch.tensor([7, 3, 1])[:, None]
    with torch.no_grad():
        wanted = reference(ids, attention_mask=mask.long()).last_hidden_state
    got = Bert.from_state({prefix + k: v for k, v in state.items()}, CONFIG)(ids, mask)
    torch.testing.assert_close(got[mask], wanted[mask], rtol=1e-4, atol=1e-5)
    assert not got[~mask].any()


def test_frozen(state: dict[str, Tensor]) -> None:
    network = Bert.from_state(state, CONFIG).train()
    assert not any(p.requires_grad for p in network.parameters())
    assert not any(m.training for m in network.modules())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_act": "relu"}, "is unknown"),
        ({"hidden_size": "24"}, "impossible sizes"),
        ({"vocab_size": 10**12}, "impossible sizes"),
        ({"vocab_size": 51}, r"words\.weight is \[50, 24\], not \[51, 24\]"),
    ],
)
def test_foreign_configs(state: dict[str, Tensor], change: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        Bert.from_state(state, {**CONFIG, **change})


def test_incomplete(state: dict[str, Tensor]) -> None:
    config = {k: v for k, v in CONFIG.items() if k != "vocab_size"}
    with pytest.raises(CheckpointError, match="incomplete"):
        Bert.from_state(state, config)
    lacking = {k: v for k, v in state.items() if "layer.1.attention.self.key" not in k}
    with pytest.raises(CheckpointError, match=r"it lacks encoder\.layers\.1"):
        Bert.from_state(lacking, CONFIG)
