"""A team of two computes what one process would; alone, nothing changes."""

from typing import Any

import pytest
import torch
from torch import Tensor

from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from tests.pair import Pair

WHOLE = torch.arange(24.0).view(4, 6).sin()


def loss_of(rows: Tensor, whole: Tensor) -> Tensor:
    """Each row's distance to all others: rows look at one another."""
    return (rows[:, None] - whole[None]).square().sum(2).add(1).sqrt().log().sum(1)


def collectives(team: Team) -> dict[str, Any]:
    own = team.rows(WHOLE)
    return {
        "rows": own,
        "groups": team.rows(WHOLE, groups=2),
        "columns": team.rows(WHOLE, dim=1),
        "sum": team.sum(own),
        "whole": team.gather(own),
        "integers": team.gather(torch.arange(2) + 2 * team.rank),
        "means": team.means([float(team.rank), 5.0]),
    }


def derivatives(team: Team) -> dict[str, Tensor]:
    """The gradient at the rows, and that of its square at a weight: as gradient penalties do."""
    weight = torch.ones(6, requires_grad=True)
    rows = team.rows(WHOLE).clone().requires_grad_()
    scaled = rows * weight
    (first,) = torch.autograd.grad(
        loss_of(scaled, team.gather(scaled)).sum(), rows, create_graph=True
    )
    first.square().sum(1).mean().backward()
    team.average_gradients([weight, torch.zeros(1, requires_grad=True)])
    assert weight.grad is not None
    return {"first": first.detach(), "second": weight.grad}


def draws(team: Team) -> dict[str, Tensor]:
    rng = Rng((3, 4), "/draws").part_of(team).fork("x")
    share = team.size
    return {
        "normal": rng.normal(4 // share, 5),
        "uniform": rng.uniform(3, 4 // share, samples=1, low=-1.0),
        "integers": rng.integers(4 // share, high=9),
    }


@pytest.mark.slow
def test_collectives(pair: Pair) -> None:
    first, second = pair(collectives)
    torch.testing.assert_close(torch.cat([first["rows"], second["rows"]]), WHOLE)
    assert torch.equal(first["groups"], WHOLE[[0, 2]])
    assert torch.equal(second["groups"], WHOLE[[1, 3]])
    assert torch.equal(second["columns"], WHOLE[:, 3:])
    for result in (first, second):
        assert torch.equal(result["sum"], WHOLE[:2] + WHOLE[2:])
        assert torch.equal(result["whole"], WHOLE)
        assert result["integers"].tolist() == [0, 1, 2, 3]
        assert result["means"] == [0.5, 5.0]


def test_derivatives_are_those_of_the_whole_batch(pair: Pair) -> None:
    alone, (first, second) = derivatives(ALONE), pair(derivatives)
    whole = torch.cat([first["first"], second["first"]])
    torch.testing.assert_close(whole, alone["first"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(first["second"], alone["second"], atol=1e-5, rtol=1e-5)
    assert torch.equal(first["second"], second["second"])


def test_draws_are_parts_of_the_whole(pair: Pair) -> None:
    alone, both = draws(ALONE), pair(draws)
    for name, axis in (("normal", 1), ("uniform", 2), ("integers", 1)):
        together = torch.cat([result[name] for result in both], dim=axis)
        assert torch.equal(together, alone[name]), name


def test_alone_nothing_changes() -> None:
    assert ALONE.leads
    assert not Team(1, 2).leads
    for same in (ALONE.sum(WHOLE), ALONE.gather(WHOLE), ALONE.rows(WHOLE, 2)):
        assert same is WHOLE
    assert ALONE.means([1.5]) == [1.5]
    ALONE.average_gradients([WHOLE])
    ALONE.wait()


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(RuntimeError, match="invalid for input of size"):
        Team(0, 2).rows(torch.zeros(3))
