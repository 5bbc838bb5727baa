"""What holds for every test: quiet threads, no network, the same random numbers each time.

The environment is set before torch or transformers are imported, so it stands at module level.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import tests.typecheck  # noqa: F401  jaxtyping's hook imports no more than `tests`
from tests.pair import Pair

# spinning OpenMP threads make everything 10x slower when another process shares the cores
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
for offline in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ[offline] = "1"
# help pages are compared letter by letter: no colours, one width
os.environ |= {"COLUMNS": "80", "TERMINAL_WIDTH": "80", "TERM": "dumb", "NO_COLOR": "1"}
os.environ.pop("FORCE_COLOR", None)

# derandomised: a red test is red again for the next person; timings never gate tests
settings.register_profile("phosphene", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("phosphene")


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """Tests may draw from torch's global generator; each then starts from the same seed."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For tests that count calls: batches are split among threads, where there are several."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def phosphene_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PHOSPHENE_HOME, for tests that write to it.

    Not automatic: the weights that `phosphene models pull --embedded` fetched live in the user's
    own home, and the tests of embedded models need them.
    """
    home = tmp_path / "phosphene-home"
    monkeypatch.setenv("PHOSPHENE_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two processes that are one team; see `tests/pair.py`."""
    made = Pair(tmp_path_factory.mktemp("pair"))
    yield made
    made.close()
