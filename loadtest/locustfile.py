"""What Locust is given: who there is, and how many at each moment.

Run it with ``python -m loadtest``, which knows where the stack is.
"""

from __future__ import annotations

import loadtest.run  # noqa: F401 - it listens
from loadtest.abuser import Abuser
from loadtest.crowd import CrowdUser
from loadtest.personas import BasicUploader, PremiumUploader
from loadtest.rest_personas import Lister, Sharer
from loadtest.resumer import Resumer
from loadtest.shapes import CrowdHolds, Ramp, Soak, Spike, Steps, ThunderingReconnect

__all__ = [
    "Abuser",
    "BasicUploader",
    "CrowdHolds",
    "CrowdUser",
    "Lister",
    "PremiumUploader",
    "Ramp",
    "Resumer",
    "Sharer",
    "Soak",
    "Spike",
    "Steps",
    "ThunderingReconnect",
]
