"""A picture by latent diffusion: phosphene's embedded model, and diffusers with one of its size.

The peer is `StableDiffusion3Pipeline` with the same transformer, an AutoencoderKL of about the size
of our VQGAN, its own Euler sampler, random weights, and embeddings instead of prompts: it reads no
text and looks for no drawing, which phosphene does. 128 px, as many steps, guidance. Warm: all in
turn, each in a process of its own, diffusers as installed in fp32 and in bf16. Cold: a new process
each time, from its start until the PNG is written.
Run: `python bench/diffusion.py [--runs 5]`; docs/bench.md holds its figures.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from contenders import Contender, in_turn
from peak import gemm_peak, machine, report
from stable_diffusion import TEXT, draw

from phosphene.core.protocols import Commission
from phosphene.core.rng import Rng
from phosphene.core.runtime import painting_dtype
from phosphene.families.diffusion.flow import transformer_of
from phosphene.zoo import Zoo
from phosphene.zoo.registry import home

MODEL, PROMPT = "emoji-diffusion", "a fox in the snow | watercolour"
OURS = "import sys; from phosphene.cli.app import main; sys.argv[0] = 'phosphene'; main()"
THEIRS = "from stable_diffusion import main; main()"


def peer() -> Any:
    """diffusers' pipeline with a transformer of ours and an autoencoder like ours."""
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, StableDiffusion3Pipeline

    model = Zoo(home()).load(MODEL)
    like, c = model.flow.config, model.autoencoder.config
    sketchless = type(like).from_dict({**like.to_dict(), "sketches": ""})
    # ours takes pixels in patches, where its levels begin
    channels = [c.channels // c.patch_size, *(c.channels * factor for factor in c.channel_mults)]
    autoencoder = AutoencoderKL(
        block_out_channels=channels,
        down_block_types=["DownEncoderBlock2D"] * len(channels),
        up_block_types=["UpDecoderBlock2D"] * len(channels),
        layers_per_block=c.num_res_blocks,
        latent_channels=c.embed_dim,
        scaling_factor=1.0,
        shift_factor=0.0,
    )
    parts: dict[str, Any] = dict.fromkeys(TEXT)
    return StableDiffusion3Pipeline(
        transformer=transformer_of(sketchless).eval(),
        vae=autoencoder.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        **parts,
    )


def steps() -> int:
    """As many as the embedded model takes if nobody says otherwise."""
    from phosphene.families.diffusion.latent import STEPS

    return STEPS


def contender(name: str) -> Callable[[], object]:
    """Build a picture: "phosphene", "diffusers" in fp32, or "diffusers-bf16"."""
    if name.startswith("diffusers"):
        pipe = peer().to(torch.bfloat16 if name.endswith("bf16") else torch.float32)
        return lambda: draw(pipe, steps())
    place = torch.device("cpu")
    model = Zoo(home()).load(MODEL, place, painting_dtype(place))
    habits = model.habits
    asked = Commission(
        spans=((PROMPT, 1.0),),
        height=habits.height,
        width=habits.width,
        steps=habits.steps,
        guidance_scale=habits.guidance_scale,
        sampler=habits.sampler,
    )
    return lambda: list(model.illustrate(asked, Rng((7,), "/imagine")))


def cold(code: str, arguments: Sequence[str], folder: str) -> float:
    """Wall seconds of a new process."""
    here = str(Path(__file__).parent)
    begun = time.perf_counter()
    words = [sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r}); {code}", *arguments]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begun


def measure(runs: int) -> dict[str, object]:
    """All of them in turn."""
    names = ("phosphene", "diffusers", "diffusers-bf16")
    contenders = [Contender("diffusion", name, prepared=name == "phosphene") for name in names]
    warm = in_turn(contenders, runs)
    work = [each.gflop for each in contenders]
    for each in contenders:
        each.close()
    with tempfile.TemporaryDirectory() as folder:
        peer().save_pretrained(f"{folder}/pipe")
        imagine = ["imagine", PROMPT, "--method", "diffusion", "--seed", "7", "-o", "b.png"]
        rounds = [
            (cold(OURS, imagine, folder), cold(THEIRS, [f"{folder}/pipe", str(steps())], folder))
            for _ in range(runs)
        ]
    ours, theirs = (statistics.median(times) for times in zip(*rounds, strict=True))
    peak = gemm_peak(torch.bfloat16)
    return {
        "bench": "diffusion", **machine(), "steps": steps(),
        **{f"{name}_warm_seconds": taken for name, taken in zip(names, warm, strict=True)},
        **{f"{name}_gflop": done for name, done in zip(names, work, strict=True)},
        "warm_ratio": warm[1] / warm[0], "warm_ratio_bf16": warm[2] / warm[0],
        "phosphene_cold_seconds": ours, "diffusers_cold_seconds": theirs,
        "cold_ratio": theirs / ours,
        "bf16_gemm_peak": peak, "share_of_peak": work[0] / warm[0] / peak,
    }  # fmt: skip


def main() -> None:
    """Measure and print one JSON line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5, help="counted pictures of each")
    report(**measure(arguments.parse_args().runs))


if __name__ == "__main__":
    main()
