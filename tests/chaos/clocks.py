"""A scenario in which clocks are wrong. It needs libfaketime, and a stack of its own for that."""

from __future__ import annotations

import time

from tests.chaos.case import Case
from tests.chaos.course import scenario

SKEWED = ("gateway-a", "upload-basic", "metadata", "bucket-events", "janitor")
MINUTES = (-5, 5)


@scenario("clock", "R17", "clocks of one process after another are five minutes wrong", skews=True)
def clock(case: Case) -> None:
    faults = case.lab.faults
    with case.load(30):
        for _ in range(case.lab.size(1, 3)):
            for service in SKEWED:
                for minutes in MINUTES:
                    faults.skew(service, minutes * 60)
                    time.sleep(case.lab.size(3, 10))
                # A step back, or forward again.
                faults.skew(service, 0)
    time.sleep(2)  # until the last of them has looked
