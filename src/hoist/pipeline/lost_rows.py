"""For operators: files that the log tells of and the store does not know."""

from __future__ import annotations

from collections.abc import Set
from contextlib import suppress

from hoist.domain.errors import Malformed
from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.metadata import metadata_event_from_json
from hoist.domain.ports import LogReader


def owners(reader: LogReader, topic_prefix: str, file_ids: Set[str | None]) -> dict[str, str]:
    """Those of *file_ids* that hoist.metadata tells of, and whose they are.

    Reads the topic whole. Raises ``Unavailable``.
    """
    found = {}
    for batch in reader.read(topic_prefix + METADATA_TOPIC):
        for record in batch:
            with suppress(Malformed):  # its consumer has it among its dead letters
                event = metadata_event_from_json(record.value)
                if event.file_id in file_ids:
                    found[event.file_id] = event.user_id
    return found
