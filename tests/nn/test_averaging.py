import pytest
import torch
from torch import nn

from phosphene.nn.averaging import follow


def linear(value: float) -> nn.Linear:
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(value)
    return layer


@pytest.mark.parametrize(("index", "decay"), [(0, 0.1), (8, 0.5), (10_000, 0.9)])
def test_it_is_the_running_mean_and_forgets_the_start(index: int, decay: float) -> None:
    average, current = linear(1.0), linear(3.0)
    follow(average, current, 0.9, index)
    for value in average.state_dict().values():
        torch.testing.assert_close(value, torch.full_like(value, 1 + 2 * (1 - decay)))
    for value in current.state_dict().values():
        assert torch.equal(value, torch.full_like(value, 3.0))


def test_what_stands_still_is_reached() -> None:
    average, current = linear(0.0), linear(1.0)
    for index in range(200):
        follow(average, current, 0.9, index)
    assert all((1 - value).abs().max() < 1e-5 for value in average.state_dict().values())
