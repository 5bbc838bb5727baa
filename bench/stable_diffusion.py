"""The peer of `diffusion.py`: one picture by diffusers alone.

`main` is a whole program: FOLDER of a pipeline, steps; it writes a.png.
"""

import sys
from typing import Any

import torch

TEXT = tuple(f"{kind}{n}" for kind in ("text_encoder", "tokenizer") for n in ("", "_2", "_3"))


def draw(pipe: Any, steps: int) -> Any:
    """One picture, as PIL, of a pipeline without text networks."""
    c, dtype = pipe.transformer.config, pipe.transformer.dtype
    states = torch.randn(2, 16, c.joint_attention_dim, dtype=dtype)
    pooled = torch.randn(2, c.pooled_projection_dim, dtype=dtype)
    pipe.set_progress_bar_config(disable=True)
    return pipe(
        prompt_embeds=states[:1],
        negative_prompt_embeds=states[1:],
        pooled_prompt_embeds=pooled[:1],
        negative_pooled_prompt_embeds=pooled[1:],
        num_inference_steps=steps,
        guidance_scale=4.0,
        height=c.sample_size * 8,
        width=c.sample_size * 8,
    ).images[0]


def main() -> None:
    """Open a pipeline, and paint with it."""
    from diffusers import StableDiffusion3Pipeline

    parts: dict[str, Any] = dict.fromkeys(("image_encoder", "feature_extractor", *TEXT))
    pipe = StableDiffusion3Pipeline.from_pretrained(sys.argv[1], **parts)
    draw(pipe, int(sys.argv[2])).save("a.png")
