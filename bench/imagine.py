"""One iteration of VQGAN+CLIP at the published shape: the classic script's way, and ours.

VQGAN f16-16384 at 256 px, CLIP ViT-B/32, 32 cutouts, random weights: decode, cut, judge, backward,
Adam. "classic" is written plainly from the description of the well-known script: fp32, cutouts one
by one, each pooled to 224 px. It runs twice: as installed, and in a process that phosphene has set
up. Run: `python bench/imagine.py [--runs 5] [--markdown]`; docs/bench.md holds a table of it.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from contenders import Contender, in_turn
from peak import conv_peak, gemm_peak, machine, report
from torch import Tensor, nn

from phosphene.core.latent import Latent, Space
from phosphene.core.rng import Rng
from phosphene.families.tokens.vqgan import VQGAN, VQGANConfig
from phosphene.nn.layers import Upsample, channels_last
from phosphene.prompting.cutouts import Cutouts
from phosphene.prompting.hub_perceptor import TransformersPerceptor
from phosphene.prompting.objective import Gaze, PromptObjective
from phosphene.prompting.optimise import Optimisation, Optimising

CUTOUTS, SIZE, VIEW = 32, 256, 224
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def clip_model() -> Any:
    """CLIP ViT-B/32 of the transformers library with random weights."""
    from transformers import CLIPConfig, CLIPModel

    vision = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
              "intermediate_size": 3072, "image_size": VIEW, "patch_size": 32}  # fmt: skip
    text = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 64}  # fmt: skip
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=512)
    return CLIPModel(config).eval().requires_grad_(False)


def vqgan() -> VQGAN:
    """VQGAN f16 with 16,384 codes and random weights."""
    return VQGAN(VQGANConfig(codebook_size=16384)).eval().requires_grad_(False)


def classic_iteration(model: VQGAN, clip: Any, target: Tensor) -> Callable[[], object]:
    """The classic script's iteration, in fp32 and NCHW with PyTorch's own layers."""
    for module in model.modules():
        if isinstance(module, nn.GroupNorm):
            module.__class__ = nn.GroupNorm  # PyTorch's, as the script has it
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, Upsample):
                doubled = nn.Upsample(scale_factor=2.0, mode="nearest")
                setattr(parent, name, nn.Sequential(doubled, child.conv))
    z = torch.randn(1, 256, SIZE // 16, SIZE // 16, requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.1)
    table = model.quantize.embedding.weight
    low, high = (v.values.view(1, -1, 1, 1) for v in (table.min(0), table.max(0)))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))

    def iterate() -> None:
        flat = z.permute(0, 2, 3, 1).reshape(-1, 256)
        distances = flat.pow(2).sum(1, keepdim=True) + table.pow(2).sum(1) - 2 * flat @ table.T
        entries = table[distances.argmin(1)].view(1, SIZE // 16, SIZE // 16, 256)
        snapped = z + (entries.permute(0, 3, 1, 2) - z).detach()
        image = model.decoder(model.post_quant_conv(snapped)).add(1).div(2).clamp(0, 1)
        views = []
        for _ in range(CUTOUTS):
            side = int(torch.rand(()) * (SIZE - VIEW) + VIEW)
            top, left = (int(torch.randint(0, SIZE - side + 1, ())) for _ in range(2))
            cut = image[:, :, top : top + side, left : left + side]
            views.append((F.adaptive_avg_pool2d(cut, VIEW) + F.adaptive_max_pool2d(cut, VIEW)) / 2)
        batch = torch.cat(views)
        batch = batch + torch.rand(CUTOUTS, 1, 1, 1) * 0.1 * torch.randn_like(batch)
        seen = clip.get_image_features(pixel_values=(batch - mean) / std).pooler_output
        gap = F.normalize(seen, dim=1) - target
        loss = gap.norm(dim=1).div(2).arcsin().pow(2).mul(2).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            z.copy_(z.maximum(low).minimum(high))

    return iterate


def our_iteration(model: VQGAN, clip: Any, target: Tensor) -> Callable[[], object]:
    """The same through phosphene's own parts, as `phosphene imagine` puts them together."""
    channels_last(model.to(torch.bfloat16))
    perceptor = TransformersPerceptor(clip.to(torch.bfloat16), None, MEAN, STD)
    cutouts = Cutouts(policy="random", count=CUTOUTS, size=VIEW)
    objective = PromptObjective(
        (Gaze(perceptor, cutouts),), (target,), torch.ones(1), torch.full((1,), -torch.inf),
        Rng((0,)),
    )  # fmt: skip
    start = Latent(Space.CODES, Rng((0,)).normal(256, SIZE // 16, SIZE // 16))
    optimisation = Optimisation(model, start, objective.at, Optimising())
    return optimisation.step


def contender(name: str) -> Callable[[], object]:
    """Build an iteration: "classic" or "phosphene"."""
    torch.manual_seed(0)
    target = F.normalize(torch.randn(1, 512), dim=1)
    build = classic_iteration if name == "classic" else our_iteration
    return build(vqgan(), clip_model(), target)


def measure(runs: int) -> dict[str, object]:
    """Run all three in turn, and the machine's own ceilings before and after."""
    gemm = gemm_peak(torch.bfloat16)
    contenders = [
        Contender("imagine", "classic", prepared=False),
        Contender("imagine", "classic", prepared=True),
        Contender("imagine", "phosphene", prepared=True),
    ]
    installed, prepared, ours = in_turn(contenders, runs)
    classic_work, our_work = contenders[0].gflop, contenders[2].gflop
    for each in contenders:
        each.close()
    gemm = max(gemm, gemm_peak(torch.bfloat16))
    return {
        "bench": "imagine", **machine(),
        "classic_seconds": installed,
        "classic_prepared_seconds": prepared,
        "phosphene_seconds": ours,
        "ratio": installed / ours,
        "ratio_to_prepared": prepared / ours,
        "classic_gflop": classic_work,
        "phosphene_gflop": our_work,
        "bf16_gemm_peak": gemm,
        "bf16_conv_peak": conv_peak(torch.bfloat16),
        "fp32_gemm_peak": gemm_peak(torch.float32),
        "fp32_conv_peak": conv_peak(torch.float32),
        "share_of_gemm_peak": our_work / ours / gemm,
        "classic_work_share_of_gemm_peak": classic_work / ours / gemm,
        "highest_ratio": installed / (classic_work / gemm),
    }  # fmt: skip


def table(row: dict[str, Any]) -> str:
    """The block of docs/bench.md."""
    lines = [
        "| | seconds | times faster | GFLOP | of the bf16 GEMM peak |",
        "|---|---|---|---|---|",
    ]
    for name, key, work in (
        ("classic script, fp32, as installed", "classic_seconds", "classic_gflop"),
        ("classic script, fp32, in phosphene's process", "classic_prepared_seconds",
         "classic_gflop"),
        ("phosphene, bf16", "phosphene_seconds", "phosphene_gflop"),
    ):  # fmt: skip
        taken, done = row[key], row[work]
        share = done / taken / row["bf16_gemm_peak"]
        faster = row["classic_seconds"] / taken
        lines.append(f"| {name} | {taken:.2f} | {faster:.2f} | {done:.0f} | {share:.0%} |")
    lines += [
        "",
        f"Machine: {row['cpu']}, {row['threads']} threads, torch {row['torch']}. Peaks in GFLOP/s: "
        f"bf16 GEMM {row['bf16_gemm_peak']:.0f}, bf16 convolution {row['bf16_conv_peak']:.0f}, "
        f"fp32 GEMM {row['fp32_gemm_peak']:.0f}, fp32 convolution {row['fp32_conv_peak']:.0f}. "
        f"All the classic script's products at the bf16 GEMM peak and nothing else would be "
        f"{row['highest_ratio']:.2f} times faster.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print one JSON line, or the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5, help="counted iterations of each")
    arguments.add_argument("--markdown", action="store_true", help="print a table instead of JSON")
    given = arguments.parse_args()
    row = measure(given.runs)
    if given.markdown:
        sys.stdout.write(table(row) + "\n")
    else:
        report(**row)


if __name__ == "__main__":
    main()
