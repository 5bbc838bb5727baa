"""Curves: means of stretches, from corner to corner."""

import pytest

from phosphene.web.pages.curves import HEIGHT, NUM_DRAWN, WIDTH, number_of, outline, thinned


def corners(points):
    return [tuple(map(float, pair.split(","))) for pair in outline(points).split()]


def test_few_points_are_all_drawn_many_become_means():
    assert thinned([(1, 2.0), (5, 3.0)]) == [(1.0, 2.0), (5.0, 3.0)]
    assert thinned([(i, float(i % 2)) for i in range(10)], 5) == [
        (0.5, 0.5),
        (2.5, 0.5),
        (4.5, 0.5),
        (6.5, 0.5),
        (8.5, 0.5),
    ]
    many = [(i, i * 2.0) for i in range(1000)]
    drawn = thinned(many)
    assert len(drawn) == NUM_DRAWN
    assert sum(value for _, value in drawn) / NUM_DRAWN == pytest.approx(999.0, rel=1e-3)


def test_a_curve_fills_its_field():
    assert corners([(10, 1.0), (20, 5.0), (30, 3.0)]) == [
        (0, HEIGHT),
        (WIDTH / 2, 0),
        (WIDTH, HEIGHT / 2),
    ]
    assert corners([(3, 2.0)]) == [(0, HEIGHT / 2)]
    assert corners([(3, 2.0), (4, 2.0)]) == [(0, HEIGHT / 2), (WIDTH, HEIGHT / 2)]
    assert outline([]) == ""


def test_numbers_are_short():
    assert [number_of(x) for x in (0.12345, 12345.6, 0.0)] == ["0.123", "1.23e+04", "0"]
