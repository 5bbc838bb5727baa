"""StyleGAN2 beside the PyPI package stylegan2-pytorch, at equal width, random weights.

Sampling at 256 px and a training step at 64 px (hinge losses, style mixing, a gradient penalty on
real and fake pictures every fourth step, Adam: the package's own step). CPU seconds, not wall
seconds, so that a shared machine does not matter. Run: `python bench/stylegan.py [--runs 3]`.

The package asserts CUDA and imports much that these parts never use: both are patched here.
"""

import argparse
import importlib
import importlib.util
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from peak import gflop, report
from torch import Tensor

from phosphene.core import runtime
from phosphene.families.gan.stylegan2 import Generator
from phosphene.families.gan.stylegan2_config import StyleGAN2Config
from phosphene.families.gan.stylegan2_discriminator import Discriminator

UNUSED = ("aim", "fire", "torchvision", "vector_quantize_pytorch")
PENALTY_EVERY, PENALTY_WEIGHT, MIXING = 4, 10.0, 0.9
INSTALL = (
    "the peer is missing: `pip install --no-deps --target /tmp/peer stylegan2-pytorch kornia "
    "kornia-rs`, then run with /tmp/peer on PYTHONPATH"
)


def peer() -> Any:
    """The package's module, made to run on a CPU."""
    if importlib.util.find_spec("stylegan2_pytorch") is None:
        raise SystemExit(INSTALL)
    for name in UNUSED:
        if importlib.util.find_spec(name) is None:
            stub = types.ModuleType(name)
            stub.transforms = stub.VectorQuantize = None  # type: ignore[attr-defined]
            sys.modules[name] = stub
    with mock.patch.object(torch.cuda, "is_available", return_value=True):
        return importlib.import_module("stylegan2_pytorch.stylegan2_pytorch")


def stay(value: Any, *_: Any) -> Any:
    """In the place of `.cuda()`."""
    return value


def width(side: int, discriminator: bool = False) -> int:
    """Our channel_base for the package's default width: 32 channels at the picture's level."""
    return side * (64 if discriminator else 32)


def cpu_seconds(works: dict[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Median CPU seconds of calls made in turn, so that a drifting machine meets all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(runs):
        for name, work in works.items():
            begun = time.process_time()
            work()
            times[name].append(time.process_time() - begun)
    return {name: statistics.median(kept) for name, kept in times.items()}


def sampling(module: Any, side: int, batch: int) -> dict[str, Callable[[], object]]:
    """Draw z and paint: theirs, ours in float32, ours in bf16."""
    theirs = module.StyleGAN2(side).eval()
    config = StyleGAN2Config(resolution=side, channel_base=width(side))
    ours = {
        dtype: Generator(config).requires_grad_(False).eval().to(dtype)
        for dtype in (torch.float32, torch.bfloat16)
    }

    @torch.no_grad()
    def peer_draws() -> Tensor:
        z = torch.randn(batch, 512)
        styles = module.styles_def_to_tensor([(theirs.SE(z), theirs.GE.num_layers)])
        painted: Tensor = theirs.GE(styles, module.image_noise(batch, side, "cpu"))
        return painted

    def draws(dtype: torch.dtype) -> Callable[[], object]:
        network = ours[dtype]

        @torch.no_grad()
        def work() -> Tensor:
            noise = [torch.randn(batch, 1, *shape) for shape in network.noise_shapes()]
            w = network.mapping(torch.randn(batch, 512))
            painted: Tensor = network.synthesis(w[:, None].expand(-1, network.num_ws, -1), noise)
            return painted

        return work

    return {"peer": peer_draws, "fp32": draws(torch.float32), "bf16": draws(torch.bfloat16)}


def peer_steps(module: Any, side: int, batch: int, folder: str) -> Callable[[], object]:
    """Four of the package's training steps, one of them with the penalty."""
    trainer = module.Trainer("bench", base_dir=folder, image_size=side, batch_size=batch)
    trainer.init_GAN()
    pictures = torch.rand(batch, 3, side, side)

    def forever() -> Any:
        while True:
            yield pictures.clone()

    trainer.loader = forever()

    def work() -> None:
        trainer.steps = 1  # neither saves nor makes sample sheets, as step 0 does
        for _ in range(PENALTY_EVERY):
            trainer.train()

    return work


def our_steps(side: int, batch: int, mixed_precision: bool) -> Callable[[], object]:
    """The same four steps with our networks."""
    config = StyleGAN2Config(
        resolution=side, channel_base=width(side), d_channel_base=width(side, True), mapping_lr=0.1
    )
    g, d = Generator(config), Discriminator(config)
    g_adam = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.9))
    d_adam = torch.optim.Adam(d.parameters(), lr=4e-4, betas=(0.5, 0.9))
    pictures = torch.rand(batch, 3, side, side)
    half = torch.autocast("cpu", torch.bfloat16) if mixed_precision else nullcontext()

    def painted() -> Tensor:
        first, second = (g.mapping(torch.randn(batch, 512)) for _ in range(2))
        cut = int(torch.randint(g.num_ws, ())) if torch.rand(()) < MIXING else g.num_ws
        ws = torch.stack([first if i < cut else second for i in range(g.num_ws)], 1)
        noise = [torch.randn(batch, 1, *shape) for shape in g.noise_shapes()]
        images: Tensor = g.synthesis(ws, noise)
        return images

    def steepness(images: Tensor, logits: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        return PENALTY_WEIGHT * slope.flatten(1).square().sum(1).mean()

    def step(index: int) -> None:
        penalised = index % PENALTY_EVERY == 0
        d.requires_grad_(True)
        with half:
            with torch.no_grad():
                fakes = painted()
            reals = pictures.clone().requires_grad_(penalised)
            fakes.requires_grad_(penalised)
            fake, real = d(fakes), d(reals)
            loss = (F.relu(1 + real) + F.relu(1 - fake)).mean()
            if penalised:
                loss = loss + steepness(reals, real) + steepness(fakes, fake)
        d_adam.zero_grad()
        torch.autograd.backward(loss)
        d_adam.step()
        d.requires_grad_(False)
        with half:
            loss = d(painted()).mean()
        g_adam.zero_grad()
        torch.autograd.backward(loss)
        g_adam.step()

    def work() -> None:
        for index in range(1, PENALTY_EVERY + 1):
            step(index)

    return work


def row(bench: str, works: dict[str, Callable[[], object]], runs: int, calls: int = 1) -> None:
    """Measure in turn, and report CPU seconds of a call, and how many times ours goes into it."""
    found = {name: value / calls for name, value in cpu_seconds(works, runs).items()}
    if found.keys() == {"peer"}:
        report(bench=bench, peer_as_installed_seconds=found["peer"])
        return
    # torch's counter fails on gradients of gradients, so training goes without
    work = {f"{name}_gflop": gflop(works[name]) for name in ("peer", "fp32") if calls == 1}
    ratios = {f"ratio_{name}": found["peer"] / found[name] for name in ("fp32", "bf16")}
    report(bench=bench, **{f"{k}_seconds": v for k, v in found.items()}, **ratios, **work,
           threads=torch.get_num_threads())  # fmt: skip


def main() -> None:
    """Print one JSON line for each size."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=3, help="counted calls of each")
    arguments.add_argument("--only", choices=("sampling", "training"), help="leave out the other")
    arguments.add_argument(
        "--as-installed", action="store_true", help="the peer alone, without our process set-up"
    )
    chosen = arguments.parse_args()
    if not chosen.as_installed:
        runtime.prepare()
    torch.manual_seed(0)
    module = peer()
    with (
        mock.patch.object(torch.nn.Module, "cuda", stay),
        mock.patch.object(Tensor, "cuda", stay),
        tempfile.TemporaryDirectory() as folder,
    ):
        for batch in (1, 4) if chosen.only != "training" else ():
            works = sampling(module, 256, batch)
            works = {"peer": works["peer"]} if chosen.as_installed else works
            row(f"stylegan2 sampling 256 px batch {batch}", works, chosen.runs)
        if chosen.only != "sampling":
            works = {"peer": peer_steps(module, 64, 8, folder)}
            if not chosen.as_installed:
                works |= {"fp32": our_steps(64, 8, False), "bf16": our_steps(64, 8, True)}
            row("stylegan2 training 64 px batch 8", works, chosen.runs, PENALTY_EVERY)


if __name__ == "__main__":
    main()
