"""A step of guided diffusion: the plain loop that notebooks have, and ours.

The embedded models at the default settings of `imagine --method guided-diffusion`: 128 px, guidance
by words, 8 cutouts, one push. "plain" is written from the description of CLIP-guided diffusion
(Crowson 2021, later Disco Diffusion): fp32, cutouts one by one, the gradient taken at the noised
codes, through decoder and denoiser. "frugal" is that loop with our gradient, which stops at the
expected picture: what is left between it and ours is precision and the making of cutouts.
Run: `python bench/guided.py [--runs 9]`; docs/bench.md holds its figures.
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from contenders import Contender, in_turn
from peak import gemm_peak, machine, report
from torch import Tensor

from phosphene.core.protocols import Commission
from phosphene.core.rng import Rng
from phosphene.studio.guiding import sampling_of
from phosphene.studio.recipe import Imagine
from phosphene.studio.stage import set_stage
from phosphene.zoo import Zoo
from phosphene.zoo.registry import home

PROMPT = "a fox in the snow | watercolour"
CUTOUTS, SMALLEST, NOISE = 8, 0.4, 0.1
PUSH, SIGMA, NEXT = 0.15, 0.9, 0.87


def plain_step(through_denoiser: bool) -> Callable[[], object]:
    """The notebooks' step, in fp32."""
    zoo = Zoo(home())
    model, perceptor = (
        zoo.load(name, dtype=torch.float32).requires_grad_(False).eval()
        for name in ("emoji-diffusion", "emoji-clip")
    )
    commission = Commission(
        spans=((PROMPT, 1.0),), height=128, width=128, guidance_scale=3.0, sampler="euler"
    )
    told = model.told(commission)
    words, unsaid = told.terms[0].words, told.unsaid
    target = perceptor.encode_text([PROMPT])
    noised = Rng((0,)).normal(*told.shape)

    def denoised(x: Tensor) -> Tensor:
        sigma = torch.full((1,), SIGMA)
        said, away = (model.flow(x, sigma, each) for each in (words, unsaid))
        x0: Tensor = x - SIGMA * (away + told.scale * (said - away))
        return x0

    def look(x0: Tensor) -> Tensor:
        image, views = model.paint(x0), []
        side = image.shape[-1]
        for _ in range(CUTOUTS):
            size = int(side * (SMALLEST + (1 - SMALLEST) * float(torch.rand(()))))
            top, left = (int(torch.randint(0, side - size + 1, ())) for _ in range(2))
            cut = image[:, :, top : top + size, left : left + size]
            cut = F.interpolate(
                cut, (perceptor.input_size,) * 2, mode="bilinear", align_corners=False
            )
            views.append(cut + NOISE * torch.randn_like(cut))
        seen = perceptor.encode_image(torch.cat(views))
        loss: Tensor = (seen - target).norm(dim=1).div(2).arcsin().pow(2).mul(2).mean()
        return loss

    def iterate() -> None:
        leaf = noised.clone().requires_grad_()
        if through_denoiser:
            x0 = denoised(leaf)
            torch.autograd.backward(look(x0))
            gradient = leaf.grad
        else:
            with torch.no_grad():
                x0 = denoised(leaf)
            torch.autograd.backward(look(x0.requires_grad_()))
            gradient = x0.grad
        assert gradient is not None
        pushed = x0.detach() - PUSH * SIGMA * gradient / gradient.square().mean().sqrt()
        noised + (NEXT - SIGMA) / SIGMA * (noised - pushed)

    return iterate


def our_step() -> Callable[[], object]:
    """A step of the recipe, as `phosphene imagine` makes it; begins anew at the end."""
    asked = {"prompt": PROMPT, "method": "guided-diffusion", "seed": 0}
    recipe = Imagine.model_validate(asked)
    stage = set_stage(recipe, Zoo(home()), "cpu").of_picture(0)

    def begun() -> Any:
        return sampling_of(stage, Rng((0,), "/imagine"))

    sampling = begun()

    def iterate() -> None:
        nonlocal sampling
        if sampling.index == sampling.total:
            sampling = begun()
        sampling.step()

    return iterate


def contender(name: str) -> Callable[[], object]:
    """Build a step: "plain", "frugal" or "phosphene"."""
    torch.manual_seed(0)
    return our_step() if name == "phosphene" else plain_step(name == "plain")


def measure(runs: int) -> dict[str, object]:
    """Run all in turn."""
    gemm = gemm_peak(torch.bfloat16)
    contenders = [
        Contender("guided", "plain", prepared=False),
        Contender("guided", "frugal", prepared=False),
        Contender("guided", "phosphene", prepared=True),
    ]
    plain, frugal, ours = in_turn(contenders, runs)
    work = [each.gflop for each in contenders]
    for each in contenders:
        each.close()
    gemm = max(gemm, gemm_peak(torch.bfloat16))
    return {
        "bench": "guided", **machine(),
        "plain_seconds": plain,
        "frugal_seconds": frugal,
        "phosphene_seconds": ours,
        "ratio": plain / ours,
        "ratio_to_frugal": frugal / ours,
        "plain_gflop": work[0],
        "phosphene_gflop": work[2],
        "bf16_gemm_peak": gemm,
        "share_of_peak": work[2] / ours / gemm,
    }  # fmt: skip


def main() -> None:
    """Measure and print one JSON line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=9, help="counted steps of each")
    report(**measure(arguments.parse_args().runs))


if __name__ == "__main__":
    main()
