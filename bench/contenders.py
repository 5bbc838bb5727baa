"""Contenders of a bench, each in a process of its own, run in turn.

A process can be set up in one way only (threads, allocator, precision), and what is compared must
meet the same moments of a drifting machine. So every contender lives in a process that waits on its
standard input, and runs one iteration when it is told to.

A bench is a module beside this one with `contender(name)`, which builds an iteration. This file is
also the program of those processes: `python contenders.py MODULE NAME [prepared]`.
"""

import importlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

# what phosphene or a user may have set, and a fresh shell has not
OURS = ("OMP_WAIT_POLICY", "GLIBC_TUNABLES", "THP_MEM_ALLOC_ENABLE", "LD_PRELOAD")


class Contender:
    """One way to do the work.

    Args:
        module: Name of the bench.
        name: What its `contender` is asked for.
        prepared: Set the process up as phosphene does (`core.runtime.prepare`); else it is as
            installed, without any variable that helps.
    """

    def __init__(self, module: str, name: str, *, prepared: bool) -> None:
        helpful = [k for k in os.environ if k in OURS or k.startswith("MALLOC_")]
        bare = {k: v for k, v in os.environ.items() if k not in helpful}
        words = [sys.executable, __file__, module, name, *(["prepared"] if prepared else [])]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=bare
        )
        self.gflop = self._ask("gflop")

    def seconds(self) -> float:
        """Wall seconds of one iteration."""
        return self._ask("run")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, what: str) -> float:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a contender without pipes")
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("a contender ended early; its error stands above")
        return float(answer)


def in_turn(contenders: Sequence[Contender], runs: int) -> list[float]:
    """Median seconds of an iteration of each; the first round is not counted."""
    rounds = [[contender.seconds() for contender in contenders] for _ in range(runs + 1)]
    return [statistics.median(times) for times in zip(*rounds[1:], strict=True)]


def _serve(iteration: Callable[[], object]) -> None:
    """Answer the parent until it closes the pipe."""
    from peak import gflop

    for line in sys.stdin:
        if line.strip() == "gflop":
            answer = gflop(iteration)
        else:
            begun = time.perf_counter()
            iteration()
            answer = time.perf_counter() - begun
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__" and len(sys.argv) > 2:  # `make bench` runs every file, without arguments
    if "prepared" in sys.argv:  # before torch is imported
        from phosphene.core import runtime

        runtime.prepare()
    _serve(importlib.import_module(sys.argv[1]).contender(sys.argv[2]))
