"""What travels between our own parts: topics, and the ingest envelope.

Unknown members are kept and ignored, so that an older reader survives a newer writer; what must
change otherwise becomes a new version (docs/messages.md).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from hoist.domain import strict_json
from hoist.domain.errors import InvalidRequest, Malformed
from hoist.domain.model import FileFacts, Visibility
from hoist.domain.policy import check_file
from hoist.domain.versions import Step, upcast

METADATA_TOPIC = "hoist.metadata"
LANES = ("premium", "basic")
GROUPS = {"premium": "upload-premium", "basic": "upload-basic"}
METADATA_GROUP = "metadata-handler"
BUCKET_GROUP = "bucket-events"
ARCHIVES_TOPIC = "hoist.archives"
ARCHIVES_GROUP = "archives"
# Before the second, third, … attempt; after the one that follows the last, it is a dead letter.
RETRY_SECONDS = (5, 30, 120, 600)


def ingest_topic(lane: str) -> str:
    return f"hoist.ingest.{lane}"


def retry_topic(group: str, seconds: int) -> str:
    """Where a record of *group* waits *seconds* for its next attempt."""
    return f"hoist.{group}.retry-{seconds}s"


def dead_letter_topic(group: str) -> str:
    return f"hoist.{group}.dlq"


def retry_group(group: str) -> str:
    """The consumer group that reads the retry topics of *group*."""
    return f"{group}.retry"


def groups() -> dict[str, tuple[str, ...]]:
    """Every consumer group of ours, and the topics that it alone reads."""
    first = {group: (ingest_topic(lane),) for lane, group in GROUPS.items()}
    first |= {METADATA_GROUP: (METADATA_TOPIC,), ARCHIVES_GROUP: (ARCHIVES_TOPIC,)}
    again = {
        retry_group(group): tuple(retry_topic(group, seconds) for seconds in RETRY_SECONDS)
        for group in first
    }
    return first | again


def setting_aside() -> tuple[str, ...]:
    """Every group that sets records aside; the bucket's events have a queue for that."""
    return (*GROUPS.values(), METADATA_GROUP, ARCHIVES_GROUP)


class Wire(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="allow"
    )

    def to_json(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


def _below(limit: int) -> AfterValidator:
    """No part of the shape: nobody ever wrote a larger one, and none can be shown."""

    def check(number: int) -> int:
        if abs(number) >= limit:
            raise ValueError(f"must be below {limit}")
        return number

    return AfterValidator(check)


AT_MS_END = 253_402_300_800_000  # the year 10000
AtMs = Annotated[int, _below(AT_MS_END)]
"""Unix time in milliseconds."""
Size = Annotated[int, _below(2**53)]
"""Bytes, as many as every reader of JSON can tell apart."""


class Versioned(Wire):
    """A message of a topic. ``steps`` lead from each version to the next, up to this one."""

    steps: ClassVar[tuple[Step, ...]] = ()

    @classmethod
    def read(cls, data: Any) -> Self:
        """*data* in whatever version. Raises ``NewerVersion``, ``ValidationError``."""
        return cls.model_validate(upcast(data, cls.steps))


class DescribedFile(Wire):
    """A file as its owner announced it."""

    name: str
    size: Size
    content_type: str = "application/octet-stream"
    visibility: Visibility = Visibility.PRIVATE
    checksum_sha256: str | None = None
    folder: str = ""
    part_checksums: bool = False

    def facts(self) -> FileFacts:
        return FileFacts(
            name=self.name,
            size=self.size,
            content_type=self.content_type,
            visibility=self.visibility,
            checksum_sha256=self.checksum_sha256,
            folder=self.folder,
            part_checksums=self.part_checksums,
        )


class Envelope(Versioned):
    """One accepted request on an ingest topic (key: userId)."""

    version: Literal[1] = 1
    message_id: str
    user_id: str
    connection_id: str | None = None
    tier: str
    file: DescribedFile
    requested_at: AtMs


def envelope_from_json(raw: bytes | None) -> Envelope:
    """Raises ``Malformed``: an envelope is ours, so a wrong one is a bug or an attack.

    So is one with a file that the gateway would have refused in any tier.
    """
    envelope: Envelope = ours(Envelope.read, raw)
    try:
        check_file(envelope.file.facts())
    except InvalidRequest as error:
        raise Malformed(str(error)) from error
    return envelope


def ours(parse: Any, raw: bytes | None) -> Any:
    """*raw* as *parse* reads it. Raises ``Malformed``."""
    if raw is None:
        raise Malformed("the record has no value")
    try:
        return parse(strict_json.decode(raw))
    except ValidationError as error:
        raise Malformed(explain(error)[0]) from error


def iso(at_ms: int) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    seconds, milliseconds = divmod(at_ms, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(1_000)  # what is told is mostly of now
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def explain(error: ValidationError) -> tuple[str, str | None]:
    """The first thing wrong, and the member it is about."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = re.sub(r"^Value error, ", "", first["msg"])
    if first["type"] == "string_pattern_mismatch":
        message = "is not of the form that the documentation gives"
    return (f"{field}: {message}" if field else message), field or None
