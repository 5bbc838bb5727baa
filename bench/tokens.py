"""Drawing image tokens: with a cache, and in a loop that computes every place again each time.

The network of the embedded shape with random weights, one picture with guidance (two rows), by the
same sampler; both in turn in one run, one JSON line for each number of candidates, by the clock
and by processor time (on a machine that other jobs share the latter is the one to read).
Run: `python bench/tokens.py [--runs 3] [--candidates 1 4] [--fp32]`.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from peak import machine, report
from torch import Tensor

from phosphene.core import runtime
from phosphene.core.protocols import Choice
from phosphene.core.rng import Rng
from phosphene.families.tokens.sampling import Sampling, Term, draw, numbers
from phosphene.families.tokens.transformer import (
    Cache,
    TokenTransformer,
    TokenTransformerConfig,
    Words,
)


class Forgetful(TokenTransformer):
    """The same network, which remembers the words only."""

    def begin(self, tokens: Tensor, words: Words) -> tuple[Tensor, Cache]:
        self.told = words
        return self(tokens, words)[:, -1], Cache(self.config, len(words.states), words.states)

    def go_on(self, tokens: Tensor, cache: Cache) -> Tensor:
        logits: Tensor = self(tokens, self.told)[:, -1]
        return logits


def networks(dtype: torch.dtype) -> tuple[TokenTransformer, TokenTransformer]:
    """One with a cache and one without, of the same random weights."""
    config = TokenTransformerConfig()
    kept, forgetful = TokenTransformer(config), Forgetful(config)
    for parameter in kept.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    forgetful.load_state_dict(kept.state_dict())
    return kept.to(dtype).eval(), forgetful.to(dtype).eval()


def picture(network: TokenTransformer, candidates: int) -> Tensor:
    """Tokens of the candidates of one picture."""
    c = network.config
    told = Rng((0, 1)).normal(1 + c.text_length, c.text_dim)
    present = torch.ones(candidates, 1 + c.text_length, dtype=torch.bool)
    words, unsaid = (Words(row.expand(candidates, -1, -1), present) for row in told)
    sampling = Sampling(choice=Choice(top_k=256, top_p=0.95), guidance_scale=3.0)
    u = numbers(Rng((0,)), c.num_places, candidates)
    *_, tokens = draw(network, [Term(words)], unsaid, u, sampling)
    return tokens


def measured(works: Sequence[Callable[[], object]], runs: int) -> list[tuple[float, float]]:
    """Median seconds of each call by the clock and of processor time, made in turn."""
    times: list[list[tuple[float, float]]] = [[] for _ in works]
    for run in range(runs + 1):
        for work, kept in zip(works, times, strict=True):
            begun = time.perf_counter(), time.process_time()
            work()
            if run:  # the first round warms up
                kept.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
    return [(statistics.median(w for w, _ in t), statistics.median(c for _, c in t)) for t in times]


def main() -> None:
    """Measure both in turn and print a JSON line for each number of candidates."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=3, help="counted pictures of each")
    arguments.add_argument("--candidates", type=int, nargs="+", default=[1, 4])
    arguments.add_argument("--fp32", action="store_true", help="float32 instead of bf16")
    given = arguments.parse_args()
    runtime.prepare()
    torch.manual_seed(0)
    dtype = torch.float32 if given.fp32 else runtime.painting_dtype(torch.device("cpu"))
    kept, forgetful = networks(dtype)
    places = kept.config.num_places
    for count in given.candidates:
        alike = (picture(kept, count) == picture(forgetful, count)).float().mean()
        (fast, cpu_fast), (slow, cpu_slow) = measured(
            [lambda n=count: picture(kept, n), lambda n=count: picture(forgetful, n)],  # type: ignore[misc]
            given.runs,
        )
        report(bench="tokens", candidates=count, dtype=str(dtype), seconds=fast,
               tokens_per_second=count * places / fast, cacheless_seconds=slow,
               cacheless_tokens_per_second=count * places / slow, ratio=slow / fast,
               cpu_seconds=cpu_fast, cpu_ratio=cpu_slow / cpu_fast, same_tokens=float(alike),
               **machine())  # fmt: skip


if __name__ == "__main__":
    main()
