"""The events of a user as one stream: over one connection after another, each kept event once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from hoist.client.lines import ANSWER_SECONDS, problem_of_event
from hoist.client.problems import Retry, Unreachable
from hoist.client.rest import Gateways
from hoist.client.socket import EVERYTHING, Conversation, Event, Socket
from hoist.client.tokens import TokenSource
from hoist.client.views import OnEvent

RESTART_SECONDS = 2.0
SEEN_MAX = 2000
OVERLAP = 100
FOR_THE_ASKER = ("upload.ready", "upload.rejected")  # the others go to every socket


class Watch:
    """Has a socket of its own: what is repeated here must not reach an upload under way."""

    def __init__(
        self, gateways: Gateways, tokens: TokenSource, on_event: OnEvent, retry: Retry
    ) -> None:
        self._socket = Socket(gateways, tokens, on_event)
        self._retry = retry
        self._seen = _Seen()
        self._is_new = True

    def run(self, quiet_seconds: float | None) -> Iterator[Event]:
        """Raises ``HoistProblem`` when no gateway answers, or none takes the token any more."""
        try:
            with self._socket.conversation(EVERYTHING) as talk:
                while True:
                    yield from self._connected(talk)
                    yield {"event": "watch.connected"}
                    yield from self._live(talk, quiet_seconds)
        finally:
            self._socket.close()

    def _connected(self, talk: Conversation) -> list[Event]:
        """A stack that is being restarted takes longer than a request may."""
        patience = self._retry.patience()
        while True:
            try:
                return self._retry.run(lambda: self._catch_up(talk), patience)
            except Unreachable:
                if self._is_new or not patience.spend(RESTART_SECONDS):
                    raise
                self._retry.sleep(self._retry.spread(RESTART_SECONDS))

    def _live(self, talk: Conversation, quiet_seconds: float | None) -> Iterator[Event]:
        """Until the connection is lost."""
        while True:
            try:
                event = talk.hear(quiet_seconds)
            except Unreachable:
                return
            if event is None:
                yield {"event": "watch.quiet"}
            elif self._is_news(event):
                yield event

    def _catch_up(self, talk: Conversation) -> list[Event]:
        """What came since the last connection, in order; of what was before the first, nothing."""
        talk.say({"action": "resume", "since": self._seen.since()})
        events: list[Event] = []
        while True:
            event = talk.hear(ANSWER_SECONDS)
            if event is None:
                raise Unreachable(f"the gateway said nothing for {ANSWER_SECONDS:.0f} seconds")
            if event["event"] == "error":
                raise problem_of_event(event)
            if event["event"] == "resume.done":
                break
            events.append(event)
        events.sort(key=lambda event: event.get("n", 0))
        last = self._seen.last
        news = [event for event in events if self._is_news(event) and not _is_past(event, last)]
        if self._is_new:
            self._is_new = False
            return []
        return news

    def _is_news(self, event: Event) -> bool:
        if not str(event["event"]).startswith("upload."):
            return False
        return "n" not in event or self._seen.add(event["n"])


def _is_past(event: Event, last: int) -> bool:
    """Whether *event* is from before the *last* one seen, and was for another socket only."""
    return event["event"] in FOR_THE_ASKER and event.get("n", last) < last


class _Seen:
    """The numbers of the last events."""

    def __init__(self) -> None:
        self._order: deque[int] = deque()
        self._numbers: set[int] = set()
        self.last = 0

    def add(self, n: int) -> bool:
        """Whether *n* is new."""
        if n in self._numbers:
            return False
        self._numbers.add(n)
        self.last = max(self.last, n)
        self._order.append(n)
        if len(self._order) > SEEN_MAX:
            self._numbers.discard(self._order.popleft())
        return True

    def since(self) -> int:
        """Ask from here on. Numbers rise, but two events may arrive in the wrong order, and the
        connection may end between them: so a little further back than the last."""
        return min(list(self._order)[-OVERLAP:], default=0)
