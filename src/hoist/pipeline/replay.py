"""Dead letters back on the topic that they come from.

hoist.<group>.dlq -> Replay -> the group's own topic, and hoist.dlq.decisions

A letter is claimed, then appended, then its decision is written. Who dies in between leaves a
letter that a later run replays again: every id derives from the message, so the second time
changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from hoist.domain.decisions import Decision, Place
from hoist.domain.errors import Malformed, Unavailable
from hoist.domain.ports import Clock, Message, MessageLog
from hoist.pipeline.decision_book import DecisionBook
from hoist.pipeline.journey import REPLAYED, own_headers
from hoist.pipeline.letters import ORIGINS, Letter, user_of

logger = logging.getLogger(__name__)
BATCH_MAX = 50
BATCH_SECONDS_MAX = 20  # well within the life of a claim
REPLAYS_MAX = 3


@dataclass(frozen=True, slots=True)
class ReplayOrder:
    """How to replay; *by* is who wants it.

    ``is_forced``: also what was replayed ``replays_max`` times, and what its group cannot read.
    ``is_again``: also what was replayed or dropped before.
    """

    by: str
    is_dry_run: bool = False
    per_second: float | None = None
    replays_max: int = REPLAYS_MAX
    is_forced: bool = False
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a letter.

    ``decided``: somebody decided about it before, so nothing was added; ``refused``: ``reason``
    says what is in the way; ``would_replay``: in a dry run.
    """

    letter: Letter
    result: Literal["replayed", "would_replay", "decided", "refused"]
    reason: str = ""
    to: Place | None = None


@dataclass(frozen=True)
class Replay:
    log: MessageLog
    clock: Clock
    sleep: Callable[[float], None] = time.sleep
    topic_prefix: str = ""

    def __call__(
        self, letters: Iterable[Letter], order: ReplayOrder, book: DecisionBook
    ) -> Generator[Outcome, None, None]:
        """Replay each of *letters* that nothing speaks against; tells what became of each.

        A second call adds nothing, and one after an interruption goes on from there: close what
        this returns when you stop early, so that it gives back what it has claimed. Raises
        ``Unavailable``.
        """
        size = BATCH_MAX
        if order.per_second:
            size = max(1, min(BATCH_MAX, int(order.per_second * BATCH_SECONDS_MAX)))
        coming, turns = iter(letters), self._turns(order)
        while batch := list(islice(coming, size)):
            ready = []
            for letter in batch:
                if against := self._against(letter, order):
                    yield against
                elif order.is_dry_run:
                    yield Outcome(letter, "would_replay")
                else:
                    ready.append(letter)
            if ready:
                yield from self._replay(ready, order, book, turns)

    def _against(self, letter: Letter, order: ReplayOrder) -> Outcome | None:
        state = letter.state(self.clock())
        if state == "replaying":
            return Outcome(letter, "decided", "somebody is replaying it just now")
        if state != "open" and not order.is_again:
            return Outcome(letter, "decided", f"{state} already")
        if order.is_forced:
            return None
        if letter.replays >= order.replays_max:
            return Outcome(letter, "refused", f"replayed {letter.replays} times, and failed again")
        if why := letter.unreadable():
            return Outcome(
                letter, "refused", f"it would fail again, edit it or upgrade first: {why}"
            )
        return None

    def _replay(
        self,
        letters: Sequence[Letter],
        order: ReplayOrder,
        book: DecisionBook,
        turns: Iterator[None],
    ) -> Iterator[Outcome]:
        claims = [self._decision(letter, "claimed", order.by, 0) for letter in letters]
        decided = list(zip(letters, book.decide(claims), strict=True))
        ours = [letter for letter, is_ours in decided if is_ours]
        try:
            for letter, is_ours in decided:
                if not is_ours:
                    yield Outcome(letter, "decided", "somebody else was first")
            step = 1 if order.per_second else BATCH_MAX
            while ours:
                next(turns)
                part, ours = ours[:step], ours[step:]
                yield from self._append(part, order, book)
        finally:
            if ours:  # interrupted: the next run need not wait until our claims are worth nothing
                left = [self._decision(letter, "released", order.by, 1) for letter in ours]
                with suppress(Unavailable):
                    book.write(left)

    def _turns(self, order: ReplayOrder) -> Iterator[None]:
        """One for each part that is sent; after the first they come at the order's rate."""
        yield
        while True:
            if order.per_second:
                self.sleep(1 / order.per_second)
            yield

    def _append(
        self, letters: Sequence[Letter], order: ReplayOrder, book: DecisionBook
    ) -> Iterator[Outcome]:
        try:
            places = self.log.append([self._message(letter) for letter in letters])
        except Malformed as error:  # one of them is too large; nothing was sent
            if len(letters) > 1:
                for letter in letters:
                    yield from self._append([letter], order, book)
                return
            book.write([self._decision(letters[0], "released", order.by, 1)])
            yield Outcome(letters[0], "refused", str(error))
            return
        went = [
            Place(topic=place.topic, partition=place.partition, offset=place.offset)
            for place in places
        ]
        decisions = [
            self._decision(letter, "replayed", order.by, 1, place)
            for letter, place in zip(letters, went, strict=True)
        ]
        book.write(decisions)
        for letter, place in zip(letters, went, strict=True):
            told = {"letter": letter.id, "by": order.by, "to": place.model_dump()}
            logger.info("dead letter replayed", extra=told)
            yield Outcome(letter, "replayed", to=place)

    def _message(self, letter: Letter) -> Message:
        """The letter's bytes, or the edited ones; every topic of ours is keyed by the user."""
        record = letter.record
        key: str | bytes | None = record.key
        payload = record.value
        if letter.standing.edited is not None:
            key, payload = user_of(letter.payload) or key, letter.payload
        headers = [header for header in own_headers(record) if header[0] != REPLAYED]
        headers.append((REPLAYED, str(letter.replays + 1).encode()))
        return Message(self.topic_prefix + ORIGINS[letter.group], key, payload, headers)

    def _decision(
        self,
        letter: Letter,
        action: Literal["claimed", "replayed", "released"],
        by: str,
        later: int,
        place: Place | None = None,
    ) -> Decision:
        number = letter.standing.next_number + later
        return Decision(
            letter=letter.id, number=number, action=action, by=by, at=self.clock(), to=place
        )
