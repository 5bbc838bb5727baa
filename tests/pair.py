"""Two processes that compute as a team, for tests: `pair(function)` calls it in both.

`python pair.py RANK FOLDER` is one of them: it reads `module:function` from standard input, calls
it with its `Team`, and writes what it returns to FOLDER. They live as long as the test session, so
that torch is imported once.
"""

import importlib
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE = 2
Call = Callable[..., Any]
ROOT = Path(__file__).parents[1]


class Pair:
    """Calls a module's function `f(team)` in both processes; returns what each made of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sources = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        environment = {**os.environ, "PYTHONPATH": sources, "OMP_NUM_THREADS": "1"}
        self.processes = [
            subprocess.Popen(
                [sys.executable, __file__, str(rank), str(folder)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(SIZE)
        ]

    def __call__(self, function: Call) -> list[Any]:
        import torch

        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{function.__module__}:{function.__qualname__}\n")
            process.stdin.flush()
        said = [process.stdout.readline().strip() for process in self.processes if process.stdout]
        assert said == ["done"] * SIZE, said
        files = [self.folder / f"{rank}.pt" for rank in range(SIZE)]
        return [torch.load(path, weights_only=True) for path in files]

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()


def _main(rank: int, folder: Path) -> None:
    import torch
    import torch.distributed as dist

    from phosphene.core.team import Team

    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/group", rank=rank, world_size=SIZE
    )
    for line in sys.stdin:
        module, _, name = line.strip().partition(":")
        torch.manual_seed(0)
        try:
            result = getattr(importlib.import_module(module), name)(Team(rank, SIZE))
        except Exception:
            print(traceback.format_exc().replace("\n", " | "), flush=True)
            continue
        torch.save(result, folder / f"{rank}.pt")
        print("done", flush=True)


if __name__ == "__main__":
    _main(int(sys.argv[1]), Path(sys.argv[2]))
