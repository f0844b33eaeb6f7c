"""20,000 files of one user and 1,000 of another: every filter and order pages to the right set."""

import random

import pytest

from hoist.domain.listing import Listing, Order, sort_key
from hoist.domain.model import FileFacts, FileRecord, Status, StoredObject, Visibility, file_id

BIG, SMALL = 20_000, 1_000
FIRST_MS = 1_700_000_000_000
WORDS = ["Report", "invoice", "Räk", "🦐", "draft_%", "holiday"]
TYPES = ["image/png", "image/jpeg", "text/plain", "video/mp4", "application/pdf"]
LISTINGS = [
    *(Listing(order=order, is_descending=down) for order in Order for down in (True, False)),
    Listing(name_contains="räk", order=Order.NAME, is_descending=False),
    Listing(name_contains="%", content_type="image/"),
    Listing(visibility=Visibility.PUBLIC, order=Order.SIZE),
    Listing(folder="a", is_deep=True, statuses=frozenset({Status.STORED})),
    Listing(folder="a/1", order=Order.SIZE, is_descending=False),
    Listing(created_from_ms=FIRST_MS + 500_000, created_to_ms=FIRST_MS + 510_000),
    Listing(size_min=1000, size_max=1100, order=Order.NAME),
    Listing(is_trash=True),
    Listing(name_contains="nobody has this"),
]


@pytest.fixture(scope="module", params=["sqlite", "postgres", "dynamodb"])
def filled(request):
    """The store, and the files of both users, whom nobody else has heard of."""
    store, fill = request.getfixturevalue(f"{request.param}_many")
    mine = {user: files_of(user, count) for user, count in (("big", BIG), ("small", SMALL))}
    fill([row for files in mine.values() for row in files])
    return store, mine


def files_of(user, count):
    """In every combination, by chance that is the same each time."""
    chance = random.Random(user)
    return [one_file(user, number, chance) for number in range(count)]


def one_file(user, number, chance):
    size = chance.randrange(1, 5000)
    facts = FileFacts(
        f"{chance.choice(WORDS)} {chance.randrange(3000)}.bin",
        size,
        chance.choice(TYPES),
        chance.choice(list(Visibility)),
        folder=chance.choice(["", "a", "a/1", "a/2", "ab"]),
    )
    status = chance.choices([Status.STORED, Status.EXPIRED, Status.DELETED], [90, 5, 5])[0]
    created_ms = FIRST_MS + number * 37 % 1_000_000
    return FileRecord(
        user_id=user,
        file_id=file_id(user, f"m-{number}"),
        message_id=f"m-{number}",
        file=facts,
        status=status,
        created_at_ms=created_ms,
        settle_after_ms=10**14,
        purge_after_ms=10**14 if status is Status.DELETED else None,
        stored=StoredObject(size, "etag", created_ms),
    )


def paged(store, user, listing, limit=200):
    """The ids of all pages, in order."""
    seen, position = [], None
    while True:
        page = store.list_by_user(user, listing, limit=limit, position=position)
        assert len(page.records) <= limit
        seen += [row.file_id for row in page.records]
        position = page.next_position
        if position is None:
            return seen


@pytest.mark.parametrize("listing", LISTINGS, ids=str)
def test_every_page_together_is_exactly_the_right_set_in_order(filled, listing):
    store, mine = filled
    for user, files in mine.items():
        wanted = {sort_key(row, listing.order): row for row in files if listing.matches(row)}
        order = sorted(wanted, key=str.encode, reverse=listing.is_descending)
        assert paged(store, user, listing) == [wanted[key].file_id for key in order]


def test_the_first_pages_are_the_same_whatever_their_size(filled):
    store, _ = filled
    listing = Listing(order=Order.NAME, name_contains="e")
    whole = paged(store, "small", listing)
    assert paged(store, "small", listing, limit=7) == whole
