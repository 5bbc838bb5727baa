"""Computations that call back, as iterators: in turns; errors come through, closing stops."""

import threading

import pytest

from phosphene.families.diffusion.handover import handed_over


def test_items_come_as_they_are_asked_for():
    done = []

    def work(hand):
        for i in range(3):
            done.append(i)
            hand(i)

    items = handed_over(work)
    assert done == []
    for i in range(3):
        assert next(items) == i
        assert done == list(range(i + 1))
    assert list(items) == []


def test_nothing_at_all():
    assert list(handed_over(lambda hand: None)) == []


def test_errors_come_to_who_asked():
    def work(hand):
        hand(1)
        raise KeyError("broken")

    items = handed_over(work)
    assert next(items) == 1
    with pytest.raises(KeyError, match="broken"):
        next(items)
    assert list(items) == []


def test_closing_ends_the_computation_and_its_thread():
    before = threading.active_count()
    ends = []

    def work(hand):
        try:
            for i in range(100):
                try:
                    hand(i)
                except Exception:  # libraries do this
                    ends.append("caught")
        finally:
            ends.append(i)

    items = handed_over(work)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    items.close()
    assert ends == [2]
    assert threading.active_count() == before


def test_one_that_is_closed_before_it_began_does_nothing():
    done = []
    items = handed_over(lambda hand: done.append(1))
    items.close()
    assert done == []


def test_an_interrupted_consumer_leaves_no_thread():
    before = threading.active_count()

    def consume():
        for _ in handed_over(lambda hand: [hand(i) for i in range(9)]):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    assert threading.active_count() == before
