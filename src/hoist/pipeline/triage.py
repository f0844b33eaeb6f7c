"""Part of step 2: which requests are new, which were answered before, and which are asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hoist.domain.account import Account, account_row_id, accounts_among
from hoist.domain.messages import Envelope
from hoist.domain.model import FileRecord, Status, file_id
from hoist.domain.ports import Key, MetadataStore, Row
from hoist.domain.row_json import record_from_json
from hoist.domain.volatile import Answer, Answers
from hoist.pipeline.delivery import Item

Requests = Sequence[Item[Envelope]]


@dataclass(frozen=True, slots=True)
class Triaged:
    """A batch of requests, by file id.

    ``known`` is each file's record, or only the fingerprint of who came first; ``firsts`` are the
    requests that need a grant; ``refused`` are refusals of the same requests, delivered again, or
    of others made before they were told. ``accounts`` are those of all who ask, by user id: read in
    the same question.
    """

    known: Mapping[str, FileRecord | str]
    firsts: Mapping[str, Item[Envelope]]
    refused: Mapping[str, Answer]
    accounts: Mapping[str, Account]


@dataclass(frozen=True)
class Triage:
    store: MetadataStore
    answers: Answers
    life_ms: Callable[[str], int]  # of a grant, by tier

    def __call__(self, items: Requests) -> Triaged:
        answered = self.answers.get_many(list({request_id(item): None for item in items}))
        rows = self.store.rows(_keys(items))
        known = _known(rows.values(), answered)
        refused = {
            request_id(item): answered[request_id(item)]
            for item in items
            if _is_same_refusal(item, answered.get(request_id(item)))
        }
        firsts: dict[str, Item[Envelope]] = {}
        for item in items:
            name = request_id(item)
            if name not in refused and self._is_first(item, known.get(name)):
                firsts.setdefault(name, item)
        accounts = accounts_among(rows.values(), {item.message.user_id for item in items})
        return Triaged(known, firsts, refused, accounts)

    def _is_first(self, item: Item[Envelope], before: FileRecord | str | None) -> bool:
        fingerprint = item.message.file.facts().fingerprint()
        if not isinstance(before, FileRecord):
            return before in (None, fingerprint)
        if before.fingerprint != fingerprint:
            return False
        # Asked after the grant that came to nothing: a redelivery must not revive it.
        granted_ms = before.settle_after_ms - self.life_ms(item.message.tier)
        is_over = before.status in (Status.EXPIRED, Status.MISSING)
        return is_over and item.message.requested_at > granted_ms


def _keys(items: Requests) -> list[Key]:
    """Of each file that is asked for, and of the account of whoever asks."""
    files = {(item.message.user_id, request_id(item)): None for item in items}
    accounts = {(user_id, account_row_id(user_id)): None for user_id, _ in files}
    return [*files, *accounts]


def _known(rows: Iterable[Row], answered: Mapping[str, Answer]) -> dict[str, FileRecord | str]:
    known: dict[str, FileRecord | str] = {}
    for name, answer in answered.items():
        if answer.state == "ready" and answer.record:
            known[name] = record_from_json(answer.record)
        elif answer.state == "accepted":
            known[name] = answer.fingerprint
    for row in rows:
        if not isinstance(row, FileRecord):
            continue
        kept = known.get(row.file_id)
        is_granted_again = (
            row.status is Status.EXPIRED
            and isinstance(kept, FileRecord)
            and kept.settle_after_ms > row.settle_after_ms
        )
        if row.status is not Status.ARRIVED and not is_granted_again:
            known[row.file_id] = row
    return known


def request_id(item: Item[Envelope]) -> str:
    """The id of the file that a request is about."""
    return file_id(item.message.user_id, item.message.message_id)


def _is_same_refusal(item: Item[Envelope], answer: Answer | None) -> bool:
    """Or one that was made before it was told: whoever hears no, is not granted it by a repeat.

    Who asks after that gets a new chance.
    """
    if answer is None or answer.state != "rejected":
        return False
    if answer.requested_at_ms == item.message.requested_at:
        return True
    is_repeat = answer.fingerprint == item.message.file.facts().fingerprint()
    return is_repeat and item.message.requested_at <= answer.told_at_ms
