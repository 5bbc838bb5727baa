"""Tiny pipelines of random weights, in folders as diffusers saves them: a second to make each.

The tokenizer knows single letters; pictures are 32 px, latents 8 x 8 (factor 4, not 8, so that a
mistake about the factor shows).
"""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from tokenizers import pre_tokenizers
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

SIZE = 32
FACTOR = 4
WIDTH = 16  # of text states
NUM_TOKENS = 24
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def make_sd(folder: Path, *, channels: int = 4, safety: bool = False) -> Path:
    """Save a Stable Diffusion 1; with 9 channels, one that only paints into pictures."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts: dict[str, Any] = {
            "vae": _vae(4),
            "text_encoder": CLIPTextModel(_text_config()),
            "tokenizer": tokenizer(folder),
            "unet": _unet(channels, cross_attention_dim=WIDTH),
            "scheduler": DDIMScheduler(
                **BETAS, steps_offset=1, clip_sample=False, set_alpha_to_one=False
            ),
            "safety_checker": _checker() if safety else None,
            "feature_extractor": _pixels() if safety else None,
        }
    kind = StableDiffusionPipeline if channels == 4 else StableDiffusionInpaintPipeline
    return _saved(kind(**parts, requires_safety_checker=safety), folder)


def make_xl(folder: Path) -> Path:
    """Save a Stable Diffusion XL: two encoders, sizes as conditions."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        parts = {
            "vae": _vae(4),
            "text_encoder": CLIPTextModel(_text_config()),
            "text_encoder_2": CLIPTextModelWithProjection(_text_config()),
            "tokenizer": tokenizer(folder),
            "tokenizer_2": tokenizer(folder),
            "unet": _unet(
                4,
                cross_attention_dim=2 * WIDTH,
                addition_embed_type="text_time",
                addition_time_embed_dim=8,
                projection_class_embeddings_input_dim=6 * 8 + WIDTH,
                use_linear_projection=True,
            ),
            "scheduler": EulerDiscreteScheduler(**BETAS, steps_offset=1),
        }
    return _saved(StableDiffusionXLPipeline(**parts, add_watermarker=False), folder)


def make_sd3(folder: Path) -> Path:
    """Save a Stable Diffusion 3 without its T5."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        parts = {
            "vae": _vae(16, shift_factor=0.06),
            "text_encoder": CLIPTextModelWithProjection(_text_config()),
            "text_encoder_2": CLIPTextModelWithProjection(_text_config()),
            "tokenizer": tokenizer(folder),
            "tokenizer_2": tokenizer(folder),
            "text_encoder_3": None,
            "tokenizer_3": None,
            "transformer": SD3Transformer2DModel(
                sample_size=SIZE // FACTOR,
                patch_size=2,
                in_channels=16,
                out_channels=16,
                num_layers=2,
                attention_head_dim=8,
                num_attention_heads=2,
                joint_attention_dim=2 * WIDTH,
                caption_projection_dim=16,
                pooled_projection_dim=2 * WIDTH,
                pos_embed_max_size=16,
            ),
            "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0),
        }
    return _saved(StableDiffusion3Pipeline(**parts), folder)


def _vae(channels: int, **more: Any) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=SIZE,
        **more,
    )


def _unet(channels: int, **more: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=SIZE // FACTOR,
        in_channels=channels,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        norm_num_groups=4,
        **more,
    )


def _text_config() -> CLIPTextConfig:
    words = len(_words())
    return CLIPTextConfig(
        vocab_size=words,
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=WIDTH,
        max_position_embeddings=NUM_TOKENS,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
    )


def _words() -> list[str]:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ends = [letter + "</w>" for letter in letters]
    return [*letters, *ends, "<|startoftext|>", "<|endoftext|>"]


def tokenizer(folder: Path) -> CLIPTokenizer:
    """A tokenizer of single letters; its files are written beside the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    vocab, merges = folder.parent / "vocab.json", folder.parent / "merges.txt"
    vocab.write_text(json.dumps({word: i for i, word in enumerate(_words())}))
    merges.write_text("#version: 0.2\n")
    return CLIPTokenizer(str(vocab), str(merges), model_max_length=NUM_TOKENS)


def _checker() -> StableDiffusionSafetyChecker:
    tower = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    vision = {**tower, "image_size": SIZE, "patch_size": 16}
    config = CLIPConfig(text_config=tower, vision_config=vision, projection_dim=8)
    checker = StableDiffusionSafetyChecker(config)
    # cosines are at most 1: nothing is blocked until a test lowers these
    checker.concept_embeds_weights.data.fill_(2.0)
    checker.special_care_embeds_weights.data.fill_(2.0)
    return checker


def _pixels() -> CLIPImageProcessorPil:
    side = {"shortest_edge": SIZE}
    crop = {"height": SIZE, "width": SIZE}
    return CLIPImageProcessorPil(size=side, crop_size=crop)


def _saved(pipeline: DiffusionPipeline, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.save_pretrained(folder, safe_serialization=True)
    return folder
