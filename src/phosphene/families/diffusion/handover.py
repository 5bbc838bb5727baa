"""A computation that calls back becomes an iterator: it waits in a thread of its own.

Only one side runs at a time, so nothing need be locked, and nothing is computed that nobody asked
for: closing the iterator ends the computation at its next `hand`.
"""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")


class _Stopped(BaseException):
    """Nobody wants the rest; not an `Exception`, so that no library catches it."""


def handed_over(work: Callable[[Callable[[Item], None]], None]) -> Iterator[Item]:
    """Yield what `work` hands over, as it comes.

    Args:
        work: Is given a function `hand(item)`, which returns when the next item is asked for.
    Raises:
        BaseException: whatever `work` raised.
    """
    wishes: SimpleQueue[bool] = SimpleQueue()  # go on, or stop
    items: SimpleQueue[tuple[Item] | BaseException | None] = SimpleQueue()

    def hand(item: Item) -> None:
        items.put((item,))
        if not wishes.get():
            raise _Stopped

    def run() -> None:
        try:
            if wishes.get():
                work(hand)
        except _Stopped:
            pass
        except BaseException as error:
            items.put(error)
            return
        items.put(None)

    # a daemon: where even waiting for the last step is interrupted, the program can end
    thread = threading.Thread(target=run, name="diffusion", daemon=True)
    thread.start()
    try:
        while True:
            wishes.put(True)
            got = items.get()
            if got is None:
                return
            if isinstance(got, BaseException):
                raise got
            yield got[0]
    finally:
        wishes.put(False)
        thread.join()
