"""Part of the doctor: what each group has committed, against the log and against who reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hoist.domain.archives import BUILD_SECONDS_MAX
from hoist.domain.lag import LogWatch, Place
from hoist.domain.messages import (
    ARCHIVES_GROUP,
    METADATA_GROUP,
    RETRY_SECONDS,
    groups,
    retry_group,
    retry_topic,
    setting_aside,
)
from hoist.domain.ports import Clock
from hoist.pipeline.doctor import Finding, Seen, amount, command

BETWEEN_SECONDS, PATIENCE_SECONDS = 1.0, 10.0
Key = tuple[str, str, int]
Found = dict[Key, Finding]


@dataclass(frozen=True)
class CheckOffsets:
    """Two calls and one for each group a look; looks until all is well or *patience_seconds* end.

    A group that is rearranged has no owners for a moment, one at work commits in jumps: only what
    every look shows is told.
    """

    log: LogWatch
    clock: Clock
    sleep: Callable[[float], None]
    topic_prefix: str = ""
    patience_seconds: float = PATIENCE_SECONDS

    def __call__(self) -> Seen:
        before = self._places()
        found = self._look(before, before)
        ends_ms = self.clock() + self.patience_seconds * 1000
        while found and self.clock() < ends_ms:
            self.sleep(BETWEEN_SECONDS)
            again = self._look(before, self._places())
            found = {key: one for key, one in again.items() if key in found}
        what = f"{amount(len(before), 'partition')} of {amount(len(groups()), 'group')}"
        return Seen(f"{what}: in the log, read, not stuck", tuple(found.values()))

    def _places(self) -> dict[Key, Place]:
        read = {
            group: [self.topic_prefix + topic for topic in topics]
            for group, topics in groups().items()
        }
        return {_key(place): place for place in self.log.places(read)}

    def _look(self, before: dict[Key, Place], now: dict[Key, Place]) -> Found:
        owned = self.log.owned(list(groups()))
        judged = {
            key: self._judged(before[key], place, is_owned=key in owned)
            for key, place in now.items()
            if key in before
        }
        return {key: one for key, one in judged.items() if one}

    def _judged(self, before: Place, now: Place, *, is_owned: bool) -> Finding | None:
        committed, lag = now.committed, now.end - now.following
        subject = f"{now.group} {now.topic}:{now.partition}"
        rewind = command("hoist", "admin", "rewind", now.group)
        # An end is older than what was committed a moment later: the earlier look counts.
        if committed is not None and min(committed, before.committed or 0) > now.end:
            detail = f"committed {committed}, but the log ends at {now.end}"
            advice = "stop its workers first; what the log has is handled again, harmlessly"
            return Finding("committed_past_end", subject, detail, rewind, advice)
        if committed is not None and committed < now.begin:
            detail = f"committed {committed}, but the log begins at {now.begin}"
            advice = "stop its workers first; what was in between was never handled, and is lost"
            return Finding("records_lost", subject, detail, rewind, advice)
        waiting = amount(lag, "record waits", "records wait")
        if not is_owned:
            start = command("python", "-m", "hoist.workers", worker_of(now.group))
            detail = f"nobody of the group reads it; {waiting}"
            return Finding("no_owner", subject, detail, start, "starts such a worker")
        oldest_ms = self.clock() - (now.following_ms or self.clock())
        if lag and now.following <= before.following and oldest_ms > self._allowed_ms(now):
            detail = f"committed {committed} of {now.end} and not moving; {waiting}"
            detail += f", the oldest for {oldest_ms // 1000} s"
            name = worker_of(now.group)
            advice = f"a dependency of the worker {name} is away, or it hangs: restart it then"
            return Finding("not_moving", subject, detail, "", advice)
        return None

    def _allowed_ms(self, place: Place) -> int:
        """How old a record may be that is not done: not due yet, or long work in itself."""
        delays = {
            self.topic_prefix + retry_topic(group, seconds): seconds
            for group in setting_aside()
            for seconds in RETRY_SECONDS
        }
        work = BUILD_SECONDS_MAX if place.group.startswith(ARCHIVES_GROUP) else 0
        return round((delays.get(place.topic, 0) + work + self.patience_seconds) * 1000)


def worker_of(group: str) -> str:
    """The name of the worker that reads for *group*."""
    if group in map(retry_group, setting_aside()):
        return "retries"
    return "metadata" if group == METADATA_GROUP else group


def _key(place: Place) -> Key:
    return place.group, place.topic, place.partition
