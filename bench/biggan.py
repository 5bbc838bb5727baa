"""Sampling BigGAN-deep: pytorch-pretrained-biggan's way and ours, on the same random weights.

The peer in fp32, as it is, and phosphene: weights converted, bf16 where the processor has it. Both
in turn in one run; one JSON line a batch size, by the clock and by processor time (on a machine
that other jobs share the latter is the one to read; so is the peak).
Run: `python bench/biggan.py [--resolution 128] [--runs 5] [--fp32]`; needs the package
pytorch-pretrained-biggan, of which only the network is imported.
"""

import argparse
import importlib
import importlib.machinery
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from peak import gflop, paired, report

from phosphene.core import runtime
from phosphene.families.gan.biggan import BigGAN
from phosphene.families.gan.biggan_config import BigGANConfig
from phosphene.families.gan.biggan_layers import prepare
from phosphene.nn.layers import channels_last
from phosphene.zoo.biggan import from_huggingface

PEER = "pytorch_pretrained_biggan"


def peer_modules() -> tuple[Any, Any]:
    """Its network and config; its downloader needs boto3, so a stand-in takes that place."""
    found = importlib.machinery.PathFinder.find_spec(PEER)
    if found is None or not found.submodule_search_locations:
        raise SystemExit("pip install --no-deps pytorch-pretrained-biggan==0.1.1")
    package, downloads = ModuleType(PEER), ModuleType(f"{PEER}.file_utils")
    package.__path__ = list(found.submodule_search_locations)
    downloads.__dict__["cached_path"] = None
    sys.modules |= {PEER: package, downloads.__name__: downloads}
    return importlib.import_module(f"{PEER}.model"), importlib.import_module(f"{PEER}.config")


def peer_network(shape: BigGANConfig) -> Any:
    """The peer's BigGAN-deep of the same shape, with random weights and statistics."""
    model, config = peer_modules()
    layers = []
    for before, after in zip(shape.channel_mults, shape.channel_mults[1:], strict=False):
        layers += [(False, before, before), (True, before, after)]
    values = config.BigGANConfig(
        output_dim=shape.sides[0], z_dim=shape.z_dim, class_embed_dim=shape.embed_dim,
        channel_width=shape.width, num_classes=shape.num_classes, layers=layers,
        attention_layer_position=8, eps=shape.norm_eps, n_stats=shape.norm_rows,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses torch's older spectral norm
        peer = model.BigGAN(values)
    for name, parameter in peer.named_parameters():
        if name.endswith("gamma") or "generator.bn." in name:
            torch.nn.init.constant_(parameter, 0.5)
    with torch.no_grad():
        peer.train()(torch.randn(1, shape.z_dim), torch.eye(shape.num_classes)[:1], 1.0)
    return peer.eval().requires_grad_(False)


def our_network(peer: Any, shape: BigGANConfig, dtype: torch.dtype) -> BigGAN:
    """The same network converted, at truncation 0.4."""
    network = BigGAN(shape)
    network.load_state_dict(from_huggingface(peer.state_dict(), shape, "the peer"))
    network = channels_last(network.eval().requires_grad_(False).to(dtype)).at_truncation(0.4)
    prepare(network)
    return network


def processor_seconds(work: Callable[[], object], runs: int) -> float:
    """Median seconds of processor time, which other jobs on the machine take less part in."""
    work()
    times = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return statistics.median(times)


def gemm_peak(dtype: torch.dtype, side: int = 2048) -> float:
    """Best GFLOP of a square matrix product in a second of processor time."""
    a, b = (torch.zeros(side, side, dtype=dtype) for _ in range(2))
    return 2 * side**3 / processor_seconds(lambda: a @ b, 7) / 1e9


def main() -> None:
    """Measure both in turn and print a JSON line for each batch size."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--resolution", type=int, default=128, choices=(128, 256, 512))
    arguments.add_argument("--runs", type=int, default=5, help="counted calls of each")
    arguments.add_argument("--fp32", action="store_true", help="ours in float32 too")
    given = arguments.parse_args()
    torch.manual_seed(0)
    shape = BigGANConfig.published(given.resolution, deep=True)
    peer = peer_network(shape)
    dtype = torch.float32 if given.fp32 else runtime.painting_dtype(torch.device("cpu"))
    ours = our_network(peer, shape, dtype)
    gemm = gemm_peak(dtype)
    runtime.prepare()
    for batch in (4, 1):
        z, classes = torch.randn(batch, shape.z_dim), torch.eye(shape.num_classes)[:batch]

        @torch.inference_mode()
        def theirs(z: torch.Tensor = z, classes: torch.Tensor = classes) -> object:
            return peer(z, classes, 0.4)

        @torch.inference_mode()
        def mine(z: torch.Tensor = z, classes: torch.Tensor = classes) -> object:
            return ours(z, classes)

        apart = float((peer(z, classes, 0.4) - ours(z, classes)).abs().mean())
        slow, fast = paired(theirs, mine, given.runs)
        work, theirs_work = gflop(mine), gflop(theirs)
        cpu_slow, cpu_fast = (processor_seconds(call, given.runs) for call in (theirs, mine))
        report(bench="biggan", resolution=given.resolution, batch=batch, dtype=str(dtype),
               peer_seconds=slow, phosphene_seconds=fast, ratio=slow / fast, mean_difference=apart,
               peer_cpu_seconds=cpu_slow, phosphene_cpu_seconds=cpu_fast,
               cpu_ratio=cpu_slow / cpu_fast,
               gflop=work, peer_gflop=theirs_work, gemm_peak_gflops=gemm,
               share_of_gemm_peak=work / cpu_fast / gemm,
               threads=torch.get_num_threads())  # fmt: skip


if __name__ == "__main__":
    main()
