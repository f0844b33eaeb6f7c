"""The bytes of a large file, part by part: signed just in time, several on their way at once."""

from __future__ import annotations

import threading
import time

from hoist.client.crew import in_parallel
from hoist.client.lines import Line
from hoist.client.problems import Attempts, Expired, HoistProblem, Unreachable, cancelled
from hoist.client.progress import Reporter, Tally
from hoist.client.source import Source
from hoist.client.storage import Storage
from hoist.client.views import OnEvent, Parts, SignedPart, StoredPart, UploadView, WantedPart

SIGNED_AT_ONCE_MAX = 100
MENDED_MAX = 12  # a refusal names 100 parts at most, and an upload has 1,000


class PartsUpload:
    """One life of an upload in parts; what storage has already is never sent again."""

    def __init__(
        self,
        line: Line,
        storage: Storage,
        source: Source,
        tally: Tally,
        attempts: Attempts,
        on_event: OnEvent,
        parallel: int,
        report: Reporter,
    ) -> None:
        self._line = line
        self._storage = storage
        self._source = source
        self._tally = tally
        self._attempts = attempts
        self._on_event = on_event
        self._parallel = parallel
        self._report = report
        self._lock = threading.Lock()  # one request for signatures at a time
        self._file_id = ""
        self._size = self._count = 0
        self._checksums: dict[int, str] = {}
        self._signatures: dict[int, SignedPart] = {}
        self._unsigned: list[int] = []
        self._there: set[int] = set()
        self._is_lost = self._is_over = False
        self._mended = 0

    def send(self, view: UploadView) -> None:
        """Every part that storage lacks or has with other bytes; returns once all are there."""
        self._file_id = view["fileId"]
        parts = view["parts"]
        self._size, self._count = parts["size"], parts["count"]
        self._note(parts)
        found = {"messageId": view.get("messageId"), "stored": len(self._there)}
        self._on_event("parts.found", {**found, "count": self._count}, time.time())
        for number in self._there:
            self._tally.of(number)(self._length(number))
        self._send_all(set(range(1, self._count + 1)) - self._there)

    def mend(self, problem: HoistProblem) -> None:
        """Do what a refused ``complete`` asks for; raises *problem* when nothing can be done."""
        if problem.code != "parts_missing":
            self._turn(problem)
            return
        self._mended += 1
        if self._mended > MENDED_MAX:
            raise problem
        numbers = set(problem.members["missing"])
        self._there -= numbers
        self._send_all(numbers)

    def complete(self) -> UploadView | None:
        """Join the parts; None when storage has yet to say so."""
        self._source.check_unchanged()
        return None if self._is_over else self._line.complete(self._file_id)

    def _send_all(self, numbers: set[int]) -> None:
        self._unsigned = sorted(numbers)
        in_parallel(self._send, sorted(numbers), self._parallel)

    def _send(self, number: int) -> None:
        self._attempts.run(lambda: self._put(number))

    def _put(self, number: int) -> None:
        heard, length = self._tally.of(number), self._length(number)
        heard(0)
        if signed := self._signed(number):
            try:
                self._storage.put(
                    signed, self._source.read(heard, (number - 1) * self._size, length)
                )
            except HoistProblem as problem:
                if problem.status == 400:
                    self._source.check_unchanged()
                if problem.status == 404:  # given up meanwhile: the next signature tells why
                    problem.members["retriable"] = True
                raise
            self._on_event("part.done", {"fileId": self._file_id, "number": number}, time.time())
        self._there.add(number)
        heard(length)
        self._report(sum(map(self._length, self._there.copy())))

    def _signed(self, number: int) -> SignedPart | None:
        """A signature for one attempt; None when the part needs none any more."""
        with self._lock:
            if self._is_lost:  # what was said meanwhile is lost too: ask how things are
                self._ask()
            if self._is_over or number in self._there:
                return None
            if number not in self._signatures:
                self._sign(number)
            return self._signatures.pop(number, None)

    def _ask(self) -> None:
        view = self._line.ask()
        self._is_lost = False
        if "parts" in view:
            self._note(view["parts"])
        else:
            self._is_over = True

    def _sign(self, number: int) -> None:
        """Also for the parts that come next."""
        self._unsigned = [n for n in self._unsigned if n != number and n not in self._there]
        batch = [number, *self._unsigned[: min(2 * self._parallel, SIGNED_AT_ONCE_MAX) - 1]]
        wanted = [self._wanted(n) for n in batch]
        try:
            for part in self._line.sign(self._file_id, wanted):
                self._signatures[part["number"]] = part
            if number not in self._signatures:  # an earlier request's answer, come late
                raise Unreachable(f"no signature came for part {number}")
        except Unreachable:
            self._is_lost = True
            raise
        except HoistProblem as problem:
            self._turn(problem)
        self._unsigned = [n for n in self._unsigned if n not in self._signatures]

    def _turn(self, problem: HoistProblem) -> None:
        """Take from a refusal how the upload stands; raises what the caller must hear."""
        state = problem.members.get("state")
        if problem.code == "not_found" or (problem.code == "not_in_parts" and state == "accepted"):
            problem.members["retriable"] = True  # its record is not written yet
        if problem.code != "not_in_parts" or state == "accepted":
            raise problem
        if state == "expired":
            raise Expired from problem
        if state == "cancelled":
            raise cancelled() from problem
        self._is_over = True

    def _note(self, parts: Parts) -> None:
        self._there |= {part["number"] for part in parts["stored"] if self._is_ours(part)}

    def _is_ours(self, part: StoredPart) -> bool:
        number = part["number"]
        if number in self._there:
            return True
        if not 1 <= number <= self._count or part["size"] != self._length(number):
            return False
        known = part.get("checksumSha256")
        return known is None or known == self._checksum(number)

    def _wanted(self, number: int) -> WantedPart:
        if not self._line.has_part_checksums:
            return {"number": number}
        return {"number": number, "checksumSha256": self._checksum(number)}

    def _checksum(self, number: int) -> str:
        if number not in self._checksums:
            start = (number - 1) * self._size
            self._checksums[number] = self._source.checksum(start, self._length(number))
        return self._checksums[number]

    def _length(self, number: int) -> int:
        return min(self._size, self._source.size - (number - 1) * self._size)
