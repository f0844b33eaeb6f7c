"""The dead letter desk: what nobody could handle, looked at, mended or given up.

hoist.<group>.dlq + hoist.dlq.decisions -> DeadLetters -> hoist.dlq.decisions
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from hoist.domain.decisions import PAYLOAD_BYTES_MAX, Decision, LetterDecided, place_of
from hoist.domain.errors import InvalidRequest, Malformed, NotFound
from hoist.domain.messages import dead_letter_topic
from hoist.domain.ports import Clock, MessageLog, TopicReader
from hoist.pipeline.decision_book import DecisionBook
from hoist.pipeline.dropped import TellDropped
from hoist.pipeline.letters import PARSERS, Letter, Wanted, unreadable, user_of

logger = logging.getLogger(__name__)
REASON_LENGTH_MAX = 500
OVERTAKEN = "somebody else decided about it at the same moment"


@dataclass(frozen=True)
class DeadLetters:
    """Nothing is remembered between two calls, so any number of these may work at once."""

    reader: TopicReader
    log: MessageLog
    tell_dropped: TellDropped
    clock: Clock
    topic_prefix: str = ""

    def book(self) -> DecisionBook:
        """All decisions so far. Raises ``Unavailable``."""
        book = DecisionBook(self.reader, self.log, self.topic_prefix)
        book.refresh()
        return book

    def matching(self, wanted: Wanted, book: DecisionBook | None = None) -> Iterator[Letter]:
        """The letters that *wanted* describes: group by group, oldest first.

        Those that come meanwhile are left out. Raises ``Unavailable``.
        """
        book = book or self.book()
        for group in wanted.groups:
            for letter in self._since(group, wanted.from_offset, book):
                if wanted.matches(letter, self.clock()):
                    yield letter

    def page(
        self, wanted: Wanted, limit: int, after: str = "", book: DecisionBook | None = None
    ) -> tuple[list[Letter], str | None]:
        """Up to *limit* letters behind the one called *after*, and where the next page begins.

        Raises ``InvalidRequest``, ``Unavailable``.
        """
        book = book or self.book()
        wants = [wanted]
        if after:
            group, offset = place_of(after) or ("", 0)
            if group not in wanted.groups:
                raise InvalidRequest("after is the id of a letter in the list", "after")
            later = wanted.groups[wanted.groups.index(group) + 1 :]
            here = replace(wanted, groups=(group,), from_offset=offset + 1)
            wants = [here, replace(wanted, groups=later)]
        coming = (letter for one in wants for letter in self.matching(one, book))
        found = list(islice(coming, limit + 1))
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    def get(self, letter_id: str, book: DecisionBook | None = None) -> Letter:
        """Raises ``NotFound``, ``Unavailable``."""
        group, offset = place_of(letter_id) or ("", 0)
        if group in PARSERS:
            for letter in self._since(group, offset, book or self.book()):
                if letter.id == letter_id:
                    return letter
                break
        raise NotFound(f"there is no dead letter {letter_id}")

    def edit(self, letter_id: str, payload: bytes, by: str) -> Letter:
        """Replay *payload* in the place of the letter's own bytes, from now on.

        It is kept byte for byte. The same payload again changes nothing. Raises ``Malformed`` when
        its group could not read it either, ``InvalidRequest``, ``LetterDecided``, ``NotFound``.
        """
        book = self.book()
        letter = self.get(letter_id, book)
        self._check_open(letter)
        if why := unreadable(letter.group, payload):
            raise Malformed(why)
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise InvalidRequest(f"a payload has at most {PAYLOAD_BYTES_MAX} bytes")
        owner = user_of(letter.record.value or b"")
        if owner not in (None, user_of(payload)):
            raise InvalidRequest(f"userId stays {owner}: a letter never changes hands", "userId")
        if payload == letter.payload:
            return letter
        return self._decide(
            book, letter, "edited", by, payload=base64.b64encode(payload), reason=None
        )

    def drop(self, letter_id: str, reason: str, by: str) -> Letter:
        """Give the letter up; whoever waits for its upload hears so. A second call changes nothing.

        Raises ``LetterDecided`` when it was replayed, ``InvalidRequest``, ``NotFound``.
        """
        if not reason.strip() or len(reason) > REASON_LENGTH_MAX:
            raise InvalidRequest(f"say why, in at most {REASON_LENGTH_MAX} characters", "reason")
        book = self.book()
        letter = self.get(letter_id, book)
        if letter.standing.settled != "dropped":
            self._check_open(letter)
            letter = self._decide(book, letter, "dropped", by, reason=reason.strip())
        # Again at each call: whoever died between deciding and telling is made up for.
        self.tell_dropped(letter)
        return letter

    def _check_open(self, letter: Letter) -> None:
        state = letter.state(self.clock())
        if state != "open":
            raise LetterDecided(letter.id, state)

    def _decide(
        self, book: DecisionBook, letter: Letter, action: str, by: str, **members: object
    ) -> Letter:
        decision = Decision.model_validate(
            {"letter": letter.id, "number": letter.standing.next_number, "action": action}
            | {"by": by, "at": self.clock(), **members}
        )
        [counts] = book.decide([decision])
        standing = book.of(letter.id)
        if not counts:
            raise LetterDecided(letter.id, standing.state(self.clock()), OVERTAKEN)
        logger.info(f"dead letter {action}", extra={"letter": letter.id, "by": by})
        return replace(letter, standing=standing)

    def _since(self, group: str, offset: int, book: DecisionBook) -> Iterator[Letter]:
        for batch in self.reader.since(self.topic_prefix + dead_letter_topic(group), offset):
            for record in batch:
                letter = Letter(group, record)
                yield replace(letter, standing=book.of(letter.id))
