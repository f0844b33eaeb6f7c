"""Files that are known here, so that somebody can be asked for those of others."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from loadtest.ledger import Outcome, Request

KEPT = 200  # the youngest


@dataclass(frozen=True, slots=True)
class KnownFile:
    """One whose bytes are in storage."""

    user_id: str
    message_id: str
    file_id: str


class KnownFiles:
    """Of this process: what users of other processes have is not known."""

    def __init__(self) -> None:
        self._files: deque[KnownFile] = deque(maxlen=KEPT)

    def learn(self, request: Request) -> None:
        """Remember its file, if there is one: it was granted, sent, and not cancelled."""
        if request.sent is Outcome.OK and not request.is_cancelled:
            for file_id in request.answered:
                self._files.append(KnownFile(*request.name, file_id))

    def of_another(self, user_id: str) -> KnownFile | None:
        """Any file that is not *user_id*'s; None while none is known."""
        others = [file for file in self._files if file.user_id != user_id]
        return random.choice(others) if others else None
