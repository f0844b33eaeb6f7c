"""MetadataStore.list_by_user: every filter and order pages to exactly the right files."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hoist.domain.listing import Listing, Order, sort_key
from hoist.domain.model import FileFacts, Status, Visibility

NAMES = [
    "report.txt",
    "Report (2).TXT",
    "räksmörgås",
    "ra\u0308ksmo\u0308rga\u030as",  # the same, spelled with combining accents
    "100%_done.png",
    "a\\b'c\"d.svg",
    "line\nbreak\x1f.txt",
    "ẞtraße",
    "🦐" * 63,
    "x" * 1024,
    "~",
]
FOLDERS = ["", "a", "a/b", "a/b/c", "ab", "100%_", "Å"]
TYPES = ["text/plain", "image/png", "image/svg+xml", "application/octet-stream"]
STATUSES = [Status.STORED, Status.PENDING, Status.EXPIRED, Status.DELETED, Status.CANCELLED]
TIMES = [1_800_000_000_000, 1_800_000_000_001, 1_800_000_360_000]
SIZES = [1, 9, 10, 4096, 5 * 1024**3]

listings = st.builds(
    Listing,
    order=st.sampled_from(Order),
    is_descending=st.booleans(),
    is_trash=st.sampled_from([False, False, False, True]),
    statuses=st.sampled_from(
        [frozenset(), frozenset({Status.STORED}), frozenset({Status.EXPIRED, Status.PENDING})]
    ),
    visibility=st.sampled_from([None, None, *Visibility]),
    name_contains=st.sampled_from(["", "", "REPORT", "%_", "\\b'", "Ö", "ss", "\n", '"', "nope"]),
    content_type=st.sampled_from(["", "", "text/plain", "image/", "image/p"]),
    created_from_ms=st.sampled_from([None, None, 0, *TIMES]),
    created_to_ms=st.sampled_from([None, None, *TIMES, 10**16]),
    size_min=st.sampled_from([None, None, *SIZES]),
    size_max=st.sampled_from([None, None, *SIZES, 2**62]),
    folder=st.sampled_from([None, None, *FOLDERS]),
    is_deep=st.booleans(),
)


@pytest.fixture(params=["memory", "sqlite", "postgres", "dynamodb", "ministack"])
def store(request):
    return request.getfixturevalue(f"{request.param}_store")


@pytest.fixture
def files(store, record):
    """A few hundred files in every combination that matters, written to *store*."""
    made = []
    for number in range(240):
        facts = FileFacts(
            NAMES[number % len(NAMES)],
            SIZES[number % len(SIZES)],
            TYPES[number % 3 if number % 7 else 3],
            list(Visibility)[number % 2],
            folder=FOLDERS[number % len(FOLDERS)],
        )
        status = STATUSES[number % len(STATUSES) if number % 3 else 0]
        times = {"created_at_ms": TIMES[number // 2 % 3], "settle_after_ms": 10**14}
        purge = {"purge_after_ms": 10**14} if status is Status.DELETED else {}
        made.append(record(f"m-{number}", facts=facts, status=status, **times, **purge))
    assert all(store.write([(row,) for row in made]))
    return made


def everything(store, user, listing, limit):
    """All pages, the order checked on the way, and no row twice."""
    seen, position = [], None
    for _ in range(1000):
        page = store.list_by_user(user, listing, limit=limit, position=position)
        assert len(page.records) <= limit
        seen += page.records
        position = page.next_position
        if position is None:
            return seen
    raise AssertionError("it never ends")


def wanted(files, listing):
    shown = [row for row in files if listing.matches(row)]
    return sorted(
        shown, key=lambda row: sort_key(row, listing.order).encode(), reverse=listing.is_descending
    )


def test_every_filter_and_order_pages_to_exactly_the_right_files(store, files, user):
    @settings(
        max_examples=120,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(listing=listings, limit=st.sampled_from([1, 7, 50, 200]))
    def check(listing, limit):
        found = everything(store, user, listing, max(limit, 5))
        assert [row.file_id for row in found] == [row.file_id for row in wanted(files, listing)]

    check()


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("is_descending", [True, False])
def test_what_is_stored_meanwhile_moves_nothing(store, files, user, record, order, is_descending):
    listing = Listing(order=order, is_descending=is_descending)
    seen, position = [], None
    for number in range(1000):
        page = store.list_by_user(user, listing, limit=9, position=position)
        seen += [row.file_id for row in page.records]
        facts = FileFacts(f"{chr(97 + number % 26)}new", 1 + number * 50, "text/plain")
        new = record(f"new-{number}", facts=facts, created_at_ms=TIMES[0] + number * 1000)
        store.write([(new,)])
        position = page.next_position
        if position is None:
            break
    assert len(seen) == len(set(seen))
    assert {row.file_id for row in wanted(files, listing)} <= set(seen)


def test_lists_leave_the_timeline_out_and_keep_everything_else(store, record, user):
    row = record("m", status=Status.STORED)
    store.write([(row,)])
    assert store.list_by_user(user, limit=1).records == (row,)


def test_a_renamed_file_stands_under_its_new_name_only(store, record, user):
    row = record("m", facts=FileFacts("b", 1, "text/plain"))
    other = record("o", facts=FileFacts("c", 1, "text/plain"))
    store.write([(row,), (other,)])
    renamed = replace(row, file=replace(row.file, name="D"), version=2)
    store.write([(renamed,)])
    listing = Listing(order=Order.NAME, is_descending=False)
    assert [row.file.name for row in everything(store, user, listing, 1)] == ["c", "D"]
