"""A world with an operator in it, and ways to make dead letters."""

from __future__ import annotations

import json

from hoist.domain.messages import envelope_from_json
from hoist.domain.ports import Message
from hoist.pipeline.dead_letters import DeadLetters
from hoist.pipeline.delivery import Delivery
from hoist.pipeline.dropped import TellDropped
from hoist.pipeline.replay import Replay, ReplayOrder
from tests.unit.world import World

GROUP, TOPIC, DEAD = "upload-basic", "hoist.ingest.basic", "hoist.upload-basic.dlq"


class Desk(World):
    """``slept`` is how long each pause of a replay was."""

    def __init__(self):
        super().__init__()
        self.is_up = True
        self.slept = []
        told = TellDropped(self.find, self.answers, self.events, self.clock)
        self.letters = DeadLetters(self.log, self.log, told, self.clock)
        self.replay = Replay(self.log, self.clock, self.slept.append)
        self.done = 0

    def asks_in_vain(self, message_id="m-1", **changes):
        """A request whose envelope the handler cannot read; returns its dead letter's id."""
        self.ask(message_id)
        asked = self.log.messages.pop()
        envelope = json.loads(asked.value) | ({"version": 2} | changes)
        self.log.messages.append(
            Message(asked.topic, asked.key, json.dumps(envelope).encode(), asked.headers)
        )
        self.handles()
        return f"{GROUP}:{len(self.log.of(DEAD)) - 1}"

    def poison(self, value, topic=TOPIC, key="ada"):
        self.log.append([Message(topic, key, value)])
        self.handles()

    def handles(self):
        """The upload handler, with what is new on its lane."""
        records = self.records(TOPIC)
        delivery = Delivery(self.log, GROUP, self.clock, lambda: self.is_up)
        assert not delivery.run(records[self.done :], envelope_from_json, self.grant)
        self.done = len(records)

    def mend(self, letter_id, by="root", **changes):
        """Edit a letter's envelope so that it can be read."""
        payload = json.loads(self.letters.get(letter_id).payload) | ({"version": 1} | changes)
        return self.letters.edit(letter_id, json.dumps(payload).encode(), by)

    def replays(self, *letter_ids, by="root", book=None, **order):
        book = book or self.letters.book()
        letters = [self.letters.get(letter_id, book) for letter_id in letter_ids]
        return list(self.replay(letters, ReplayOrder(by, **order), book))

    def results(self, *letter_ids, **order):
        return [outcome.result for outcome in self.replays(*letter_ids, **order)]
