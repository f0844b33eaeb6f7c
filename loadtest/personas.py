"""Uploaders of both tiers, each over a socket of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from locust import tag, task

from loadtest.persona import Persona
from loadtest.uploads import Failed

KIB, MIB = 1024, 1024**2
SIZES = ((1, 4 * KIB, 60), (4 * KIB, 64 * KIB, 25), (64 * KIB, MIB, 12), (MIB, 4 * MIB, 3))
PREMIUM_SIZES = ((4 * KIB, 64 * KIB, 40), (64 * KIB, MIB, 40), (MIB, 16 * MIB, 20))


def some_size(sizes: tuple[tuple[int, int, int], ...] = SIZES) -> int:
    """A size of one of the classes (from, to, how often of 100)."""
    [(low, high, _)] = random.choices(sizes, [weight for *_, weight in sizes])
    return random.randint(low, high)


class SocketUser(Persona):
    """Keeps a socket open from its first to its last moment."""

    abstract = True

    def on_start(self) -> None:
        super().on_start()
        self.attempt(self.uploads.connect)

    def attempt(self, step: Callable[[], Any]) -> None:
        """*step*; what failed is in the statistics already."""
        with suppress(Failed):
            step()


class BasicUploader(SocketUser):
    """Sends mostly small files, one after the other, over one socket."""

    weight = 40
    think = (1.0, 5.0)

    @tag("upload")
    @task
    def upload(self) -> None:
        self.uploads.upload(some_size())


class PremiumUploader(SocketUser):
    """Sends larger files, on the lane of its own."""

    weight = 15
    tier = "premium"
    think = (0.5, 2.0)

    @tag("upload")
    @task
    def upload(self) -> None:
        self.uploads.upload(some_size(PREMIUM_SIZES))
