"""Work done at once gives what it gives one after the other."""

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.streams import allowed_threads, at_once, by_rows, on_threads


@pytest.fixture
def threads() -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)).double().requires_grad_(False)


def test_answers_keep_their_order_and_threads_are_as_before(threads: int) -> None:
    calls: list[Callable[[], tuple[int, int]]] = [
        lambda i=i: (i, torch.get_num_threads()) for i in range(5)
    ]
    assert at_once(calls) == [(i, 1) for i in range(5)]
    assert torch.get_num_threads() == threads


@pytest.mark.usefixtures("threads")
def test_calls_go_on_beside_one_another() -> None:
    meeting = threading.Barrier(2, timeout=30)
    assert sorted(at_once([meeting.wait, meeting.wait])) == [0, 1]


@pytest.mark.usefixtures("one_thread")
def test_a_single_thread_makes_them_in_turn() -> None:
    names = at_once([lambda: threading.current_thread().name] * 3)
    assert names == [threading.current_thread().name] * 3


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("grad", [True, False])
def test_gradients_are_kept_as_here(grad: bool) -> None:
    with torch.set_grad_enabled(grad):
        assert at_once([torch.is_grad_enabled] * 3) == [grad] * 3


@pytest.mark.parametrize("failing", [0, 2])
def test_an_error_is_raised_when_all_have_ended(threads: int, failing: int) -> None:
    ended: list[int] = []

    def call(i: int) -> None:
        if i == failing:
            raise ValueError(f"call {i}")
        ended.append(i)

    with pytest.raises(ValueError, match=f"call {failing}"):
        at_once([lambda i=i: call(i) for i in range(3)])
    assert sorted(ended) == [i for i in range(3) if i != failing]
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("number", [1, 2, 9])
def test_it_can_be_done_within_itself_by_the_same_thread(threads: int, number: int) -> None:
    def inner() -> list[str]:
        assert allowed_threads() == 1
        return at_once([lambda: threading.current_thread().name] * 2)

    for names in at_once([inner] * number):
        assert len(set(names)) == 1
    assert allowed_threads() == threads


def test_several_threads_take_turns(threads: int) -> None:
    seen: list[list[int]] = []

    def often() -> None:
        for _ in range(50):
            seen.append(at_once([torch.get_num_threads] * 3))

    others = [threading.Thread(target=often) for _ in range(4)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert seen == [[1] * 3] * 200
    assert torch.get_num_threads() == threads


def test_work_on_one_thread_may_still_be_shared(threads: int) -> None:
    meeting = threading.Barrier(2, timeout=30)

    def steps() -> Iterator[int]:
        assert torch.get_num_threads() == 1
        yield allowed_threads()
        at_once([meeting.wait] * 2)
        assert torch.get_num_threads() == 1
        yield allowed_threads()

    assert list(on_threads(steps(), 1)) == [threads] * 2
    assert allowed_threads() == torch.get_num_threads() == threads


def test_work_is_done_on_other_threads_and_all_is_as_before_in_between():
    def working():
        yield torch.get_num_threads()
        try:
            yield torch.get_num_threads()
        finally:
            ended.append(torch.get_num_threads())

    ended, before = [], torch.get_num_threads()
    for _ in range(2):
        steps = on_threads(working(), before + 1)
        assert next(steps) == before + 1
        assert torch.get_num_threads() == before
        assert next(steps) == before + 1
        assert list(steps) == []
        assert torch.get_num_threads() == before
    assert ended == [before + 1] * 2


def test_threads_are_as_before_where_the_work_failed():
    def failing():
        raise ValueError
        yield

    before = torch.get_num_threads()
    with pytest.raises(ValueError):  # noqa: PT011
        next(on_threads(failing(), before + 1))
    assert torch.get_num_threads() == before


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("rows", "streams"), [(1, 1), (1, None), (2, None), (7, None), (7, 2)])
def test_rows_give_the_same_values_and_gradients(rows: int, streams: int | None) -> None:
    net = network()
    x = torch.randn(rows, 4).double().requires_grad_()
    plain = x.detach().clone().requires_grad_()
    whole = net(plain)
    torch.autograd.backward(whole.sin().sum())
    seen = by_rows(net, x, streams)
    torch.autograd.backward(seen.sin().sum())
    torch.testing.assert_close(seen, whole)
    torch.testing.assert_close(x.grad, plain.grad)
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("rows", "streams", "parts"), [(7, None, [2, 2, 3]), (2, None, [2]), (7, 2, [3, 4])]
)
def test_batches_are_split_and_without_gradients_too(rows, streams, parts) -> None:
    seen: list[tuple[int, bool]] = []

    def count(x: Tensor) -> Tensor:
        seen.append((len(x), torch.get_num_threads() == 1))
        return x * 2

    x = torch.randn(rows, 2)
    with torch.no_grad():
        assert torch.equal(by_rows(count, x, streams), x * 2)
    assert sorted(seen) == [(part, len(parts) > 1) for part in parts]


@pytest.mark.usefixtures("threads")
def test_it_is_differentiable_once() -> None:
    x = torch.randn(4, 4).double().requires_grad_()
    (gradient,) = torch.autograd.grad(by_rows(network(), x).sin().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(gradient.sum())
