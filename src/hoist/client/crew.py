"""Threads that share a list of things to do, and never keep the process alive."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


GRACE_SECONDS = 2.0


def in_parallel(
    work: Callable[[T], R],
    items: Sequence[T],
    workers: int,
    on_interrupt: Callable[[], None] = lambda: None,
) -> list[R]:
    """*work* on every item, *workers* at once; the results in the items' order.

    After a failure no further item is begun; it is raised when those under way have ended. An
    interrupt waits only a moment for what *on_interrupt* stops, where an executor's threads would
    hold up the end of the process.
    """
    todo = deque(enumerate(items))
    results: dict[int, R] = {}
    failures: list[BaseException] = []

    def loop() -> None:
        while not failures:
            try:
                index, item = todo.popleft()
            except IndexError:
                return
            try:
                results[index] = work(item)
            except BaseException as failure:  # carried to the caller's thread, raised there
                failures.append(failure)

    threads = [
        threading.Thread(target=loop, name=f"hoist-crew-{number}", daemon=True)
        for number in range(min(workers, len(items)))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        todo.clear()
        on_interrupt()
        ends_at = time.monotonic() + GRACE_SECONDS
        for thread in threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
        raise
    if failures:
        raise failures[0]
    return [results[index] for index in range(len(items))]
