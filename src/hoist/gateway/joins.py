"""Parts being joined. Storage may take minutes: each upload's join runs once, in its own thread."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError

from hoist.domain.errors import Busy

RUNNING_MAX, OF_ONE_MAX = 40, 10  # in all, and of one user
WAITING_MAX = 50  # of one user, for these
TOO_MANY = "too many uploads are being completed; try again shortly"

Key = tuple[str, str]


class Joins:
    def __init__(self, join: Callable[[str, str], None]) -> None:
        self._join = join
        self._running: dict[Key, Future[None]] = {}
        self._waiting: Counter[str] = Counter()
        self._lock = threading.Lock()

    def run(self, user_id: str, file_id: str, wait_seconds: float | None = None) -> bool:
        """True once the parts are joined, False when that takes longer than *wait_seconds*.

        Raises what joining raises, and ``Busy`` while too many are. A second call waits for the
        first.
        """
        with self._lock:
            if self._waiting[user_id] >= WAITING_MAX:
                raise Busy(TOO_MANY)
            future = self._running.get((user_id, file_id)) or self._start((user_id, file_id))
            self._waiting[user_id] += 1
        try:
            future.result(wait_seconds)
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._waiting[user_id] -= 1
                self._waiting += Counter()  # keeps the positive ones only
        return True

    def _start(self, key: Key) -> Future[None]:
        of_one = sum(user_id == key[0] for user_id, _ in self._running)
        if of_one >= OF_ONE_MAX or len(self._running) >= RUNNING_MAX:
            raise Busy(TOO_MANY)
        future = self._running[key] = Future()
        threading.Thread(target=self._work, args=(key, future), daemon=True).start()
        return future

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
