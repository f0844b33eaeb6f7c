"""Part of step 3: a file's timeline, written down with each change of its row."""

from __future__ import annotations

from dataclasses import replace

from hoist.domain.metadata import FileRequested, MetadataEvent
from hoist.domain.model import STEPS_KEPT, FileRecord, Step
from hoist.domain.ports import Row
from hoist.pipeline.delivery import Item
from hoist.pipeline.events import worker_of


def with_steps(row: Row | None, item: Item[MetadataEvent], recorded_by: str) -> Row | None:
    """*row* with what *item* adds to its timeline. Of too many steps the middle is given up."""
    if not isinstance(row, FileRecord):
        return row
    steps = (*row.steps, *_steps(item, recorded_by))
    if len(steps) > STEPS_KEPT:
        half = STEPS_KEPT // 2
        steps = steps[:half] + steps[-half:]
    return replace(row, steps=steps)


def _steps(item: Item[MetadataEvent], recorded_by: str) -> list[Step]:
    message, origin, first = item.message, item.origin, item.journey
    worker = worker_of(origin)
    step = Step(
        message.type,
        origin.timestamp_ms,
        first.origin_topic,
        first.origin_partition,
        first.origin_offset,
        worker,
        recorded_by,
        item.trace_id,
    )
    if not isinstance(message, FileRequested) or message.accepted is None:
        return [step]
    at = message.accepted
    accepted = replace(
        step,
        name="upload.accepted",
        at_ms=at.at,
        topic=at.topic,
        partition=at.partition,
        offset=at.offset,
        worker=at.worker,
        recorded_by=worker,
    )
    return [accepted, step]
