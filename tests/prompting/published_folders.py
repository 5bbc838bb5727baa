"""Tiny CLIP and SigLIP models of random weights, in folders as transformers saves them."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)

PIXELS = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
WORDS = ["<pad>", "</s>", "<unk>", "a", "green", "heart", "frog", "flat"]


def make_clip(folder: Path, size: int = 32) -> Path:
    """Save a CLIP that sees `size` px; its tokenizer knows single letters."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    text = {**TOWER, "vocab_size": len(words), "max_position_embeddings": 24}
    text |= {"eos_token_id": len(words) - 1, "bos_token_id": len(words) - 2}
    config = CLIPConfig(text_config=text, vision_config=_vision(size), projection_dim=16)
    _save(CLIPModel, config, folder)
    return folder


def make_siglip(folder: Path, size: int = 32, **saving: Any) -> Path:
    """Save a SigLIP that sees `size` px; its tokenizer knows `WORDS`."""
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    tokenizer.save_pretrained(folder)
    text = {**TOWER, "vocab_size": len(WORDS), "max_position_embeddings": 8}
    text |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1}
    config = SiglipConfig(text_config=text, vision_config=_vision(size))
    _save(SiglipModel, config, folder, **saving)
    return folder


def _vision(size: int) -> dict[str, int]:
    return {**TOWER, "image_size": size, "patch_size": 8}


def _save(kind: Any, config: Any, folder: Path, **saving: Any) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        kind(config).save_pretrained(folder, **saving)
    (folder / "preprocessor_config.json").write_text(json.dumps(PIXELS))
