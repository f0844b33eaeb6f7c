"""Part of step 6: a page of a list, from the cache when it has the first one of this generation.

A page is kept only if the user's generation is still the one it was read in, so a slow reader
cannot bring an old list back; and of many who miss the same page at once, one reads it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from pydantic import ValidationError

from hoist import telemetry
from hoist.domain.listing import Listing, listing_of
from hoist.domain.ports import MetadataStore, Page
from hoist.domain.row_json import record_from_json, record_to_json
from hoist.domain.volatile import ListCache

Flights = dict[tuple[str, str, str], "Future[Page]"]


@dataclass(frozen=True)
class Pages:
    store: MetadataStore
    cache: ListCache
    flights: Flights = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, user_id: str, listing: Listing, limit: int, position: str | None) -> Page:
        """Raises ``Unavailable`` when the store is down and the cache has nothing."""

        def read() -> Page:
            return self.store.list_by_user(user_id, listing, limit=limit, position=position)

        if position is not None:
            return read()
        generation = self.cache.generation(user_id)
        if generation is None:
            telemetry.cache_lookups.labels("away").inc()
            return read()
        name = hashlib.sha256(f"{limit} {listing.canonical()}".encode()).hexdigest()[:32]
        if kept := self.cache.get(user_id, generation, name):
            telemetry.cache_lookups.labels("hit").inc()
            return page_of(kept)

        def fill() -> Page:
            page = read()
            self.cache.put(user_id, generation, name, _bytes(page, listing, limit))
            return page

        return self._once((user_id, generation, name), fill)

    def _once(self, key: tuple[str, str, str], fill: Callable[[], Page]) -> Page:
        """What *fill* gives, or gives somebody who is at it already for the same generation."""
        with self.lock:
            flight = self.flights.get(key)
            is_mine = flight is None
            if flight is None:
                flight = self.flights[key] = Future()
        telemetry.cache_lookups.labels("miss" if is_mine else "shared").inc()
        if is_mine:
            try:
                flight.set_result(fill())
            except BaseException as error:
                flight.set_exception(error)
            finally:
                with self.lock:
                    del self.flights[key]
        return flight.result()


def _bytes(page: Page, listing: Listing, limit: int) -> bytes:
    records = [record_to_json(record) for record in page.records]
    asked = {"listing": listing.canonical(), "limit": limit}
    return json.dumps({**asked, "records": records, "next": page.next_position}).encode()


def page_of(kept: bytes) -> Page:
    """The page that the cache keeps as *kept*."""
    data = json.loads(kept)
    return Page(tuple(map(record_from_json, data["records"])), data["next"])


def asked_by(kept: bytes) -> tuple[Listing, int] | None:
    """The list and the limit that it was read for; None when an older release kept it, or a
    newer one with a filter or an order that is not known here.
    """
    data = json.loads(kept)
    try:
        return (listing_of(data["listing"]), data["limit"]) if "listing" in data else None
    except ValidationError:
        return None
