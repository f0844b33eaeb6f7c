"""Clients in threads of their own, at a steady pace."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence

from loadtest.ledger import Ledger
from loadtest.people import User
from tests.chaos.asking import ANSWER_SECONDS
from tests.chaos.clients import Client, Habits


class Load:
    """Clients in threads of their own, together *per_second* uploads a second, until ``stop``."""

    def __init__(
        self,
        ledger: Ledger,
        users: Sequence[User],
        urls: Sequence[str],
        *,
        seed: str,
        per_second: float,
        clients: int = 12,
        habits: Habits | None = None,
    ) -> None:
        self.ledger = ledger
        self._pause = clients / per_second
        self._stopping, self._giving_up = threading.Event(), threading.Event()
        self.errors: list[BaseException] = []
        self._threads = [
            threading.Thread(
                target=self._run,
                args=(Client(ledger, users, urls, f"{seed}/{number}", habits or Habits()),),
                daemon=True,
            )
            for number in range(clients)
        ]

    def start(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def stop(self, patience_seconds: float = 30) -> None:
        """Begin nothing more; who still waits for an answer has *patience_seconds* to get it."""
        self._stopping.set()
        deadline = time.monotonic() + patience_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._giving_up.set()
        for thread in self._threads:
            thread.join(3 * ANSWER_SECONDS)
            if thread.is_alive():
                self.errors.append(TimeoutError("a client hangs"))
        if self.errors:
            raise self.errors[0]

    def _run(self, client: Client) -> None:
        began = time.monotonic() + client.random.uniform(0, self._pause)
        try:
            for number in itertools.count():
                if self._stopping.wait(max(0.0, began + number * self._pause - time.monotonic())):
                    return
                client.upload(self._giving_up.is_set)
        except BaseException as error:
            self.errors.append(error)
        finally:
            client.close()
