"""Pages and their cursors: no old list comes back, one read for many, no cursor of another list."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hoist.domain.errors import InvalidCursor, Unavailable
from hoist.domain.listing import NEWEST_FIRST, Listing, Order
from hoist.domain.model import Status, Visibility
from hoist.pipeline.cursors import CURSOR_LIVES_SECONDS, Cursors
from hoist.pipeline.pages import Pages, asked_by
from tests.doubles import Clock, MemoryCache, MemoryMetadata
from tests.unit.world import World

LISTINGS = [
    NEWEST_FIRST,
    Listing(is_descending=False),
    Listing(order=Order.NAME),
    Listing(is_trash=True),
    Listing(visibility=Visibility.PUBLIC),
    Listing(name_contains="a"),
    Listing(folder=""),
    Listing(folder="", is_deep=True),
    Listing(size_min=0),
    Listing(created_from_ms=0),
]

FULL = Listing(
    order=Order.SIZE,
    statuses=frozenset({Status.STORED, Status.MISSING}),
    name_contains='é"',
    content_type="image/",
    created_from_ms=1,
    created_to_ms=2,
    size_max=3,
    folder="a/b",
    is_deep=True,
)


class Watched(MemoryMetadata):
    """Lets a test stand between the read of a list and what is done with it."""

    def __init__(self):
        super().__init__()
        self.reads, self.meanwhile = 0, lambda: None

    def list_by_user(self, *args, **kwargs):
        self.reads += 1
        page = super().list_by_user(*args, **kwargs)
        self.meanwhile()
        return page


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize("listing", [*LISTINGS, FULL], ids=lambda listing: listing.canonical())
def test_a_kept_page_says_which_list_and_limit_it_was_read_for(world, listing):
    world.files.list("ada", listing, 7, None)
    [page] = world.cache.scan()
    assert asked_by(page.body) == (listing, 7)


def test_a_slow_reader_does_not_bring_an_old_list_back(world):
    """Reader begins; a file is written and the cache invalidated; reader ends and must not fill."""
    store, cache = Watched(), MemoryCache()
    pages = Pages(store, cache)
    this_file = world.stores("m-1")

    def write():
        store.meanwhile = lambda: None
        store.kept |= world.store.kept
        cache.invalidate(["ada"])

    store.meanwhile = write
    assert pages("ada", NEWEST_FIRST, 50, None).records == ()  # it did begin before
    [seen] = pages("ada", NEWEST_FIRST, 50, None).records
    assert seen.file_id == this_file


def test_of_many_who_miss_the_same_page_one_reads_it(world):
    store, cache = Watched(), MemoryCache()
    pages, here = Pages(store, cache), threading.Barrier(9)
    is_waiting = threading.Event()
    store.meanwhile = lambda: is_waiting.wait(10)

    def look():
        here.wait(10)
        return pages("ada", NEWEST_FIRST, 50, None)

    with ThreadPoolExecutor(8) as pool:
        looks = [pool.submit(look) for _ in range(8)]
        here.wait(10)
        while len(pages.flights) == 0:
            pass
        is_waiting.set()
        assert {look.result(10).records for look in looks} == {()}
    assert store.reads <= 2  # a late one finds the page kept, or begins the only other read
    assert pages.flights == {}


def test_when_the_one_who_reads_fails_everybody_hears_it_and_the_next_one_reads(world):
    store = Watched()
    pages = Pages(store, MemoryCache())

    def fail():
        raise Unavailable("the store is away")

    store.meanwhile = fail
    with pytest.raises(Unavailable):
        pages("ada", NEWEST_FIRST, 50, None)
    store.meanwhile = lambda: None
    assert pages("ada", NEWEST_FIRST, 50, None).records == ()


def test_a_page_is_cached_for_its_user_filter_order_and_limit_only(world):
    world.stores("m-1")
    store = Watched()
    store.kept = world.store.kept
    pages = Pages(store, MemoryCache())
    for listing in LISTINGS:
        for limit in (1, 2):
            before = store.reads
            first = pages("ada", listing, limit, None)
            assert store.reads == before + 1
            assert pages("ada", listing, limit, None) == first
            assert store.reads == before + 1
    assert pages("grace", NEWEST_FIRST, 1, None).records == ()


def test_a_cursor_is_good_for_its_user_filter_and_order_only():
    cursors = Cursors("secret", Clock())
    for mine in LISTINGS:
        cursor = cursors.cursor("ada", mine, "somewhere")
        assert cursors.position("ada", mine, cursor) == "somewhere"
        for user, other in [("grace", mine), *(("ada", one) for one in LISTINGS if one != mine)]:
            with pytest.raises(InvalidCursor):
                cursors.position(user, other, cursor)
        with pytest.raises(InvalidCursor):
            Cursors("another secret", Clock()).position("ada", mine, cursor)


def test_a_changed_or_old_cursor_is_refused():
    clock = Clock()
    cursors = Cursors("secret", clock)
    cursor = cursors.cursor("ada", NEWEST_FIRST, "\x1fräk\U0001f990")
    for place, sign in enumerate(cursor):
        changed = cursor[:place] + ("A" if sign != "A" else "B") + cursor[place + 1 :]
        with pytest.raises(InvalidCursor):
            cursors.position("ada", NEWEST_FIRST, changed)
    for wrong in ("", "x", cursor + "=", cursor + "A", cursor[:-1], "é", "A" * 10**6):
        with pytest.raises(InvalidCursor):
            cursors.position("ada", NEWEST_FIRST, wrong)
    clock.advance(seconds=CURSOR_LIVES_SECONDS)
    with pytest.raises(InvalidCursor, match="expired"):
        cursors.position("ada", NEWEST_FIRST, cursor)
