"""Parts being joined. Storage may take minutes: each upload's join runs once, in its own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError

Key = tuple[str, str]


class Joins:
    def __init__(self, join: Callable[[str, str], None]) -> None:
        self._join = join
        self._running: dict[Key, Future[None]] = {}
        self._lock = threading.Lock()

    def run(self, user_id: str, file_id: str, wait_seconds: float | None = None) -> bool:
        """True once the parts are joined, False when that takes longer than *wait_seconds*.

        Raises what joining raises. A second call waits for the first.
        """
        key = (user_id, file_id)
        with self._lock:
            future = self._running.get(key)
            if future is None:
                future = self._running[key] = Future()
                threading.Thread(target=self._work, args=(key, future), daemon=True).start()
        try:
            future.result(wait_seconds)
        except TimeoutError:
            return False
        return True

    def _work(self, key: Key, future: Future[None]) -> None:
        try:
            self._join(*key)
        except BaseException as error:
            self._forget(key)
            future.set_exception(error)
        else:
            self._forget(key)
            future.set_result(None)

    def _forget(self, key: Key) -> None:
        with self._lock:
            del self._running[key]
