"""Statistics of a batch that two processes share are those of one that has it all."""

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.team import ALONE, Team
from phosphene.nn.shared import SharedBatchNorm, Teamed, batch_norm, share_statistics
from tests.pair import Pair

PICTURES = torch.arange(4 * 3 * 5 * 5.0).view(4, 3, 5, 5).sin() * 3 + 1
KEYS = ("y", "slope", "weight", "bias", "running_mean", "running_var")


def trained(team: Team, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """A step of batch norm, with the gradient of the squared slope: twice differentiated."""
    norm = nn.BatchNorm2d(3)
    share_statistics([norm], team)
    x = team.rows(PICTURES).to(dtype).requires_grad_()
    y = norm(x)
    (slope,) = torch.autograd.grad((y.float() ** 3).sum(), x, create_graph=True)
    torch.autograd.backward(slope.float().square().mean() + y.float().tanh().mean())
    team.average_gradients(norm.parameters())
    assert norm.weight.grad is not None
    assert norm.bias.grad is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return {
        "y": y.detach(),
        "slope": slope.detach(),
        "weight": norm.weight.grad,
        "bias": norm.bias.grad,
        "running_mean": norm.running_mean,
        "running_var": norm.running_var,
    }


def in_bf16(team: Team) -> dict[str, Tensor]:
    return trained(team, torch.bfloat16)


def test_batch_norm_of_two_is_that_of_one(pair: Pair) -> None:
    alone, both = trained(ALONE), pair(trained)
    for name in KEYS:
        got = both[0][name]
        if name in ("y", "slope"):
            got = torch.cat([result[name] for result in both])
        torch.testing.assert_close(got, alone[name], atol=2e-4, rtol=2e-4, msg=name)


def test_in_bf16(pair: Pair) -> None:
    alone, both = in_bf16(ALONE), pair(in_bf16)
    assert both[0]["y"].dtype == torch.bfloat16
    together = torch.cat([result["y"] for result in both])
    torch.testing.assert_close(together, alone["y"], atol=0.03, rtol=0.03)


def test_the_class_is_shared_and_the_weights_stay() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())
    before, team = dict(network.named_parameters()), Team(1, 2)
    share_statistics([network], ALONE)
    assert type(network[0]) is nn.BatchNorm2d
    share_statistics([network], team)
    assert isinstance(network[0], SharedBatchNorm)
    assert network[0].team is team
    assert isinstance(network[0], Teamed)
    assert all(before[name] is p for name, p in network.named_parameters())


def test_what_is_not_trained_asks_nobody() -> None:
    norm = SharedBatchNorm(3).eval()
    norm.team = Team(0, 2)  # there is no group: it would fail
    assert torch.equal(norm(PICTURES), nn.BatchNorm2d(3).eval()(PICTURES))
    with pytest.raises(ValueError, match="process group"):
        norm.train()(PICTURES)


def test_alone_it_is_torchs() -> None:
    mean, var = torch.zeros(3), torch.ones(3)
    y = batch_norm(PICTURES, mean, var, momentum=0.1, eps=1e-5, team=ALONE)
    norm = nn.BatchNorm2d(3, affine=False)
    assert torch.equal(y, norm(PICTURES))
    assert norm.running_mean is not None
    assert torch.equal(mean, norm.running_mean)
