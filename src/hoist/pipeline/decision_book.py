"""What was decided about dead letters, kept in ``hoist.dlq.decisions``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from hoist.domain.decisions import DECISIONS_TOPIC, Decision, Standing, decision_from_json
from hoist.domain.errors import Malformed, Outdated
from hoist.domain.ports import Message, MessageLog, Position, TopicReader
from hoist.domain.versions import NewerVersion

logger = logging.getLogger(__name__)


@dataclass
class DecisionBook:
    """Made for one piece of work: it reads the whole topic once, then what is new."""

    reader: TopicReader
    log: MessageLog
    topic_prefix: str = ""
    _standings: dict[str, Standing] = field(default_factory=dict)
    _counted: set[int] = field(default_factory=set)
    _next: int = 0

    def of(self, letter: str) -> Standing:
        """As it was at the last ``refresh`` or ``decide``."""
        return self._standings.get(letter, Standing())

    def refresh(self) -> None:
        """Raises ``Outdated`` when a newer release has decided, ``Unavailable``."""
        for batch in self.reader.since(self._topic, self._next):
            for record in batch:
                self._next = record.offset + 1
                try:
                    decision = decision_from_json(record.value)
                except NewerVersion as error:
                    why = "a newer release has decided about dead letters: use its desk"
                    raise Outdated(f"{why} ({error})") from error
                except Malformed as error:
                    logger.warning(
                        "nobody can read the decision at offset %d: %s", record.offset, error
                    )
                    continue
                before = self.of(decision.letter)
                after = before.after(decision)
                if after is not before:
                    self._counted.add(record.offset)
                    self._standings[decision.letter] = after

    def decide(self, decisions: Sequence[Decision]) -> list[bool]:
        """Write them down; says, in order, which of them count: somebody may have been first.

        Raises ``Unavailable``; some may be in the log then.
        """
        places = self.write(decisions)
        self.refresh()
        return [place.offset in self._counted for place in places]

    def write(self, decisions: Sequence[Decision]) -> list[Position]:
        """Write them down, whether or not they count."""
        return self.log.append(
            [Message(self._topic, one.letter, one.to_json()) for one in decisions]
        )

    @property
    def _topic(self) -> str:
        return self.topic_prefix + DECISIONS_TOPIC
