"""Learning-rate schedules: their ends, their middle, their order."""

import pytest

from phosphene.nn.schedules import cosine_rate, trapezoid_rate


def test_ends() -> None:
    assert cosine_rate(1.0, 0, 100, 10) == pytest.approx(0.1)
    assert cosine_rate(1.0, 9, 100, 10) == 1.0
    assert cosine_rate(1.0, 10, 100, 10) == pytest.approx(1.0)
    assert cosine_rate(1.0, 55, 100, 10) == pytest.approx(0.02 + 0.98 / 2)
    assert cosine_rate(1.0, 100, 100, 10) == pytest.approx(0.02)
    assert cosine_rate(1.0, 10_000, 100, 10) == pytest.approx(0.02)


def test_rises_then_falls() -> None:
    rates = [cosine_rate(3e-4, i, 200, 20) for i in range(200)]
    assert rates[:20] == sorted(rates[:20])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert max(rates) == 3e-4
    assert min(rates) > 0


@pytest.mark.parametrize(("total", "warmup"), [(10, 0), (10, 10), (1, 5), (0, 0)])
def test_odd_lengths(total: int, warmup: int) -> None:
    rates = [cosine_rate(1.0, i, total, warmup) for i in range(max(1, total))]
    assert all(0 < rate <= 1 for rate in rates)


def test_scales_with_the_peak() -> None:
    assert cosine_rate(2.0, 37, 100, 10) == pytest.approx(2 * cosine_rate(1.0, 37, 100, 10))


def test_a_trapezoid_holds_the_peak() -> None:
    rates = [trapezoid_rate(2.0, i, 100, 10, 0.6) for i in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9:60] == [2.0] * 51
    assert rates[80] == pytest.approx(1.0)
    assert rates[100] == 0


def test_a_trapezoid_is_the_same_in_a_longer_run_until_it_falls() -> None:
    short = [trapezoid_rate(1.0, i, 100, 10) for i in range(60)]
    assert short == [trapezoid_rate(1.0, i, 1000, 10) for i in range(60)]
