"""MetadataStore: versions decide who wrote first, lists are in order, and nobody sees another's."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from botocore.exceptions import HTTPClientError

from hoist.adapters import aws, dynamodb
from hoist.domain.account import Account
from hoist.domain.errors import Unavailable
from hoist.domain.model import FileFacts, Multipart, Status, Step, StoredObject, Visibility
from hoist.domain.sharing import Download, Downloads, Share, new_share_id


@pytest.fixture(params=["memory", "sqlite", "postgres", "dynamodb", "ministack"])
def store(request):
    return request.getfixturevalue(f"{request.param}_store")


def write(store, records):
    """Each record is a change of its own."""
    return store.write([(record,) for record in records])


def key(record):
    return record.user_id, record.file_id


def test_every_member_comes_back_as_it_was_written(store, record):
    facts = FileFacts(
        "räksmörgås 🦐.txt",
        5 * 1024**3,
        "text/plain",
        Visibility.PUBLIC,
        "A" * 43,
        folder="a/b",
        part_checksums=True,
    )
    rich = record(
        "m",
        facts=facts,
        status=Status.STORED,
        stored=StoredObject(5, "etag", 7, "B" * 43),
        reason="why",
        trace={"traceparent": "00-1-2-01"},
        multipart=Multipart("id", 8 * 1024**2),
        revision=2,
        changes=("c-1", "c-2"),
        announced="fingerprint",
        purge_after_ms=None,
        steps=(Step("file.stored", 7, "hoist.metadata", 1, 2, "bucket/1", "metadata/2", "trace"),),
    )
    poor = record("poor")
    assert write(store, [rich, poor]) == [True, True]
    assert store.get_many([key(rich), key(poor)]) == {key(rich): rich, key(poor): poor}


def test_what_was_never_written_is_left_out(store, record):
    assert store.get_many([key(record("m"))]) == {}
    assert store.get_many([]) == {}
    assert write(store, []) == []


def test_a_second_first_write_changes_nothing(store, record):
    first = record("m")
    assert write(store, [first]) == [True]
    assert write(store, [replace(first, reason="again")]) == [False]
    assert store.get_many([key(first)]) == {key(first): first}


@pytest.mark.parametrize(("version", "is_stored"), [(1, False), (2, False), (3, True), (4, False)])
def test_only_the_version_one_above_is_stored(store, record, version, is_stored):
    first = record("m")
    write(store, [first])
    write(store, [replace(first, version=2)])
    assert write(store, [replace(first, version=version, reason="new")]) == [is_stored]
    assert (store.get_many([key(first)])[key(first)].reason == "new") is is_stored


def test_one_lost_race_does_not_spoil_the_rest_of_a_batch(store, record):
    records = [record(f"m-{number}") for number in range(5)]
    write(store, [records[2]])
    assert write(store, records) == [True, True, False, True, True]
    assert len(store.get_many([key(item) for item in records])) == 5


@pytest.mark.parametrize("count", [99, 100, 101, 250])
def test_a_batch_may_be_larger_than_one_transaction(store, record, count):
    records = [record(f"m-{number}") for number in range(count)]
    assert write(store, records) == [True] * count
    assert len(store.get_many([key(item) for item in records])) == count


def test_of_many_writers_of_one_version_exactly_one_wins(store, record):
    def one(number):
        # A second row makes it a transaction: those get in each other's way on purpose.
        return write(store, [record("m", reason=str(number)), record(f"own-{number}")])

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(one, range(8)))
    assert sum(mine for mine, _ in told) == 1
    assert all(own for _, own in told)


def test_pages_are_newest_first_without_gap_or_repeat_also_within_one_millisecond(store, record):
    records = [record(f"m-{number}", created_at_ms=1000 + number // 3) for number in range(10)]
    write(store, records)
    order = sorted(records, key=lambda item: (item.created_at_ms, item.file_id), reverse=True)
    seen, position = [], None
    for size in (4, 4, 2):
        page = store.list_by_user(records[0].user_id, limit=4, position=position)
        assert len(page.records) == size
        seen += page.records
        position = page.next_position
    assert position is None
    assert seen == order


@pytest.mark.parametrize(("limit", "has_more"), [(2, True), (3, False), (4, False)])
def test_a_page_says_whether_there_is_more(store, record, limit, has_more):
    records = [record(f"m-{number}") for number in range(3)]
    write(store, records)
    page = store.list_by_user(records[0].user_id, limit=limit)
    assert len(page.records) == min(limit, 3)
    assert (page.next_position is not None) is has_more


def test_someone_without_files_has_an_empty_page(store, user):
    page = store.list_by_user(user, limit=5)
    assert (page.records, page.next_position) == ((), None)


def test_a_file_that_arrived_appears_when_claimed_and_goes_when_deleted(store, record):
    row = record("m", status=Status.ARRIVED)
    shown = []
    for version, status in enumerate([Status.ARRIVED, Status.STORED, Status.PURGED], start=1):
        write(store, [replace(row, status=status, version=version)])
        shown.append(len(store.list_by_user(row.user_id, limit=5).records))
    assert shown == [0, 1, 0]


def test_nobody_sees_the_files_of_another(store, record, user):
    write(store, [record("m"), record("m", of=user + "0")])
    assert [row.user_id for row in store.list_by_user(user, limit=5).records] == [user]


def test_the_owner_of_a_known_file_is_found_and_of_an_unknown_one_not(store, record):
    row = record("m")
    write(store, [row])
    assert store.owners([row.file_id, record("never").file_id]) == {row.file_id: row.user_id}


def test_pending_rows_are_due_at_their_time_oldest_first_until_they_settle(store, record):
    # Long ago, so that rows of other tests in the same table stay out of sight.
    late = record("late", settle_after_ms=2000)
    early = record("early", settle_after_ms=1000)
    write(store, [late, early])
    assert key(early) not in store.overdue(999, limit=10).files
    assert store.overdue(1000, limit=10).files == (key(early),)
    assert store.overdue(2000, limit=10).files == (
        key(early),
        key(late),
    )
    assert store.overdue(2000, limit=1).files == (key(early),)
    settled = [replace(row, status=Status.STORED, version=2) for row in (early, late)]
    write(store, settled)
    assert store.overdue(2000, limit=10).files == ()


def test_an_account_is_empty_until_it_is_written(store, user):
    assert store.accounts([user]) == {user: Account(user)}
    account = replace(Account(user).reserve("f-1", 10, 5000), used_bytes=7, version=1)
    assert store.write([(account,)]) == [True]
    assert store.write([(account,)]) == [False]
    assert store.accounts([user]) == {user: account}


def test_rows_of_a_change_are_written_together_or_not_at_all(store, record, user):
    taken, free, other = record("taken"), record("free"), record("other", of=user + "0")
    write(store, [taken])
    changes = [(free, taken, Account(user, version=1)), (other, Account(user + "0", version=1))]
    assert store.write(changes) == [False, True]
    assert key(free) not in store.get_many([key(free)])
    accounts = store.accounts([user, user + "0"])
    assert [account.version for account in accounts.values()] == [0, 1]
    assert key(other) in store.get_many([key(other)])


def test_an_account_is_no_file_and_its_old_reservations_are_due(store, record, user):
    account = replace(Account(user).reserve("f-1", 10, 5000), version=1)
    store.write([(account, record("m", settle_after_ms=10**13))])
    assert len(store.list_by_user(user, limit=5).records) == 1
    due_ms = account.due_at_ms
    assert user not in store.overdue(due_ms - 1, limit=10).users
    due = store.overdue(due_ms, limit=10)
    assert user in due.users
    assert not due.files
    store.write([(replace(account.release("f-1"), version=2),)])
    assert user not in store.overdue(due_ms, limit=10).users


def test_what_is_in_the_trash_is_due_when_it_is_to_be_purged(store, record):
    row = record("m", status=Status.DELETED, purge_after_ms=3000, settle_after_ms=10)
    write(store, [row])
    assert key(row) not in store.overdue(2999, limit=10).files
    assert key(row) in store.overdue(3000, limit=10).files
    write(store, [replace(row, status=Status.PURGED, purge_after_ms=None, version=2)])
    assert key(row) not in store.overdue(3000, limit=10).files


def test_links_and_histories_are_rows_beside_their_files(store, record, user):
    row = record("m")
    share = Share(user, new_share_id(), row.file_id, 7, expires_at_ms=9, downloads_max=2)
    history = Downloads(user, row.file_id).with_one(Download("d-1", 5, "share", "s", "t"), (1, 3))
    assert store.write([(row, share), (history,)]) == [True, True]
    assert store.rows([(user, share.row_id), (user, history.row_id), key(row)]) == {
        (user, share.row_id): share,
        (user, history.row_id): history,
        key(row): row,
    }
    assert store.shares(user) == [share]
    assert store.shares(user + "0") == []
    assert store.get_many([(user, share.row_id)]) == {}
    assert store.owners([share.row_id]) == {share.row_id: user}
    assert len(store.list_by_user(user, limit=5).records) == 1
    assert store.write([(share.revoked(),)]) == [True]
    assert store.write([(share.revoked(),)]) == [False]


def test_what_a_newer_release_put_into_rows_stays_there(store, record, user):
    later = {"later": {"deep": [1, None, "ä"]}}
    share = Share(user, new_share_id(), "f", 7, downloads_max=5, unknown=later)
    rows = [
        replace(record("m"), unknown=later),
        replace(Account(user).reserve("f", 10, 5000), version=1, unknown=later),
        share,
        Downloads(user, "f", version=1, unknown=later),
    ]
    keys = [(row.user_id, row.row_id) for row in rows]
    assert all(write(store, rows))
    assert store.rows(keys) == dict(zip(keys, rows, strict=True))
    assert all(write(store, [replace(row, version=2) for row in store.rows(keys).values()]))
    assert store.count_download(share).unknown == later
    assert all(row.unknown == later for row in store.rows(keys).values())


def test_downloads_are_counted_exactly_however_many_come_at_once(store, user):
    share = Share(user, new_share_id(), "f", 7, downloads_max=5)
    unlimited = Share(user, new_share_id(), "f", 7)
    assert store.count_download(share) is None, "not there yet"
    store.write([(share,), (unlimited,)])
    with ThreadPoolExecutor(8) as pool:
        counted = list(pool.map(lambda _: store.count_download(share), range(20)))
        free = list(pool.map(lambda _: store.count_download(unlimited), range(20)))
    assert sorted(one.downloads for one in counted if one) == [1, 2, 3, 4, 5]
    assert sorted(one.downloads for one in free) == list(range(1, 21))
    [now] = store.rows([(user, share.row_id)]).values()
    assert now == replace(share, downloads=5, version=6)
    assert store.write([(share.revoked(),)]) == [False], "it was counted meanwhile"
    assert store.write([(now.revoked(),)]) == [True]
    store.write([(store.rows([(user, unlimited.row_id)])[user, unlimited.row_id].revoked(),)])
    assert store.count_download(unlimited) is None


def test_a_download_whose_count_was_not_heard_is_counted_once(dynamodb_store, user, monkeypatch):
    """The first answer gets lost, and the same call is made again."""
    store, link = dynamodb_store, Share(user, new_share_id(), "f", 7, downloads_max=1)
    store.write([(link,)])
    call, lost = store._call._answer, [True]

    def answer(operation, body):
        told = call(operation, body)
        if lost and operation == "UpdateItem":
            lost.pop()
            raise HTTPClientError(error="reset")
        return told

    monkeypatch.setattr(store._call, "_answer", answer)
    counted = store.count_download(link)
    assert counted is not None
    assert counted.downloads == 1
    assert store.count_download(link) is None, "it was for one download"


def test_a_scan_tells_every_row(store, record, user):
    account = Account(user, used_bytes=3, version=1)
    store.write([(account, record("m")), (record("n", status=Status.CANCELLED),)])
    mine = [row for row in store.scan() if row.user_id == user]
    assert len(mine) == 3
    assert account in mine


def test_a_store_without_its_table_is_not_ready(dynamodb_client, dynamodb_store):
    dynamodb_store.ready()
    with pytest.raises(Unavailable, match="takes no rows"):
        dynamodb.DynamoMetadata(dynamodb_client, "never-made").ready()


def test_a_table_nobody_answers_for_is_unavailable(as_process, record, unused_port):
    away = aws.client("dynamodb", f"http://127.0.0.1:{unused_port}")
    store = dynamodb.DynamoMetadata(away, "files")
    for ask in (
        lambda: store.get_many([("ada", "f")]),
        lambda: write(store, [record("m")]),
        lambda: write(store, [record("m"), record("n")]),
        lambda: store.list_by_user("ada", limit=1),
        lambda: store.owners(["f"]),
        lambda: store.overdue(1, limit=1),
    ):
        with pytest.raises(Unavailable):
            ask()
