"""Downloads that break off go on where they were, and end with the right bytes or none."""

import pytest

from hoist.client import HoistProblem
from tests.unit.downloading import (  # noqa: F401
    AT_ONCE,
    BODY,
    NEVER,
    client,
    hasty,
    only,
    partial,
    service,
    target,
)


def asked_for_urls(service):
    return len([line for line in service.heard if line.endswith("/content")])


def test_a_broken_download_goes_on_where_it_was_with_a_fresh_url(client, service, target):
    file_id = service.keep("a.bin", BODY)
    service.storage.cuts = [100_000, 100_000]
    client.download(file_id, target)
    assert only(target) == BODY
    assert service.storage.ranges == [None, "bytes=100000-", "bytes=200000-"]
    assert asked_for_urls(service) == 3


def test_a_connection_that_breaks_often_is_no_failure_while_bytes_come(client, service, target):
    file_id = service.keep("a.bin", BODY)
    service.storage.cuts = [20_000] * 14
    client.download(file_id, target)
    assert only(target) == BODY
    assert len(service.storage.ranges) == 15


def test_a_connection_that_brings_nothing_is_given_up(client, service, target):
    file_id = service.keep("a.bin", BODY)
    service.storage.cuts = [20_000, *[0] * 6]
    with pytest.raises(HoistProblem, match="broke"):
        client.download(file_id, target)
    assert service.storage.cuts == [0]
    assert partial(service, file_id, target).read_bytes() == BODY[:20_000]


def test_storage_without_ranges_is_given_up_when_no_attempt_comes_further(client, service, target):
    file_id = service.keep("a.bin", BODY)
    service.storage.ignores_ranges = True
    service.storage.cuts = [20_000] * 20
    with pytest.raises(HoistProblem, match="broke"):
        client.download(file_id, target)


def test_an_ended_url_is_replaced_and_the_download_goes_on(client, service, target):
    file_id = service.keep("a.bin", BODY)
    service.storage.cuts = [100_000]
    service.storage.before_piece = iter_once(lambda: service.storage.statuses.append(403))
    client.download(file_id, target)
    assert only(target) == BODY
    assert service.storage.ranges == [None, "bytes=100000-", "bytes=100000-"]
    assert asked_for_urls(service) == 3


def iter_once(action):
    """*action* at the first call only."""
    todo = [action]
    return lambda: todo.pop()() if todo else None


def test_a_later_download_goes_on_after_reading_what_is_there(hasty, service, target):
    file_id = service.keep("a.bin", BODY)
    service.storage.cuts = [100_000]
    with pytest.raises(HoistProblem):
        hasty.download(file_id, target)
    assert not target.exists()
    seen = []
    hasty.download(file_id, target, on_progress=seen.append)
    assert only(target) == BODY
    assert service.storage.ranges == [None, "bytes=100000-"]
    assert (seen[0], seen[-1]) == (100_000, len(BODY))


def test_a_download_that_lacked_only_its_name_asks_storage_nothing(client, service, target):
    file_id = service.keep("a.bin", BODY)
    partial(service, file_id, target).write_bytes(BODY)
    client.download(file_id, target)
    assert (only(target), service.storage.ranges) == (BODY, [])


@pytest.mark.parametrize("rest", [b"x" * 1000, b"x" * len(BODY), b"x" * (len(BODY) + 1)])
def test_a_partial_that_is_wrong_is_discarded_and_fetched_anew(client, service, target, rest):
    file_id = service.keep("a.bin", BODY)
    partial(service, file_id, target).write_bytes(rest)
    client.download(file_id, target)
    assert only(target) == BODY


def test_wrong_bytes_are_fetched_anew_once_and_then_refused(client, service, target):
    file_id = service.keep("a.bin", BODY)
    target.write_bytes(b"before")
    service.storage.corrupts = 1
    client.download(file_id, target)
    assert only(target) == BODY
    service.storage.corrupts = 3
    with pytest.raises(HoistProblem) as caught:
        client.download(file_id, target)
    assert (caught.value.code, service.storage.corrupts) == ("content_differs", 1)
    assert only(target) == BODY


@pytest.mark.parametrize("ignores_if_range", [False, True])
def test_another_version_in_storage_is_fetched_from_its_start(
    hasty, client, service, target, ignores_if_range
):
    service.storage.ignores_if_range = ignores_if_range
    file_id = service.keep("a.bin", BODY)
    service.storage.cuts = [100_000]
    with pytest.raises(HoistProblem):
        hasty.download(file_id, target)
    service.storage.etag = "another"
    client.download(file_id, target)
    assert only(target) == BODY
    again = [None] if ignores_if_range else []
    assert service.storage.ranges == [None, "bytes=100000-", *again]


def test_bytes_of_two_versions_are_never_mixed(hasty, service, target):
    file_id = service.keep("a.bin", BODY)
    del service.files[file_id]["checksumSha256"]
    service.storage.cuts = [100_000]
    with pytest.raises(HoistProblem):
        hasty.download(file_id, target)
    other = BODY[::-1]
    service.bodies[file_id] = other
    service.files[file_id]["etag"] = service.storage.etag = "another"
    hasty.download(file_id, target)
    assert target.read_bytes() == other


def test_what_nothing_vouches_for_begins_anew(hasty, service, target):
    file_id = service.keep("a.bin", BODY)
    for member in ("checksumSha256", "etag"):
        del service.files[file_id][member]
    service.storage.cuts = [100_000]
    with pytest.raises(HoistProblem):
        hasty.download(file_id, target)
    hasty.download(file_id, target)
    assert only(target) == BODY
    assert service.storage.ranges == [None, None]
