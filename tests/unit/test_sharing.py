"""Public files and links: what anybody may download, how often, and until when."""

import pytest

from hoist.domain.errors import NotFound, NotStored, PasswordRequired, TooManyTries, Unavailable
from hoist.domain.frames import ShareRequest
from hoist.domain.model import Visibility
from hoist.domain.sharing import Download, Downloads, new_share_id
from hoist.pipeline.change import Delete, Edit, Restore
from tests.unit.world import TRACE, World


@pytest.fixture
def world():
    return World()


def share(world, this_file, user="ada", **wanted):
    return world.share.create(user, this_file, ShareRequest(**wanted), TRACE)["shareId"]


def follow(world, link, password=None):
    return world.share.link_url(link, password, TRACE)


def only(world, user="ada"):
    [told] = world.share.list(user, None)["shares"]
    return told


def ended(world, link):
    """Why the link cannot be followed, word for word."""
    with pytest.raises(NotFound) as refused:
        follow(world, link)
    return str(refused.value)


def test_a_link_gives_a_private_file_to_anybody_and_counts(world):
    this_file = world.stores("m-1")
    link = share(world, this_file)
    assert follow(world, link) == follow(world, link) == f"get:{world.row(this_file).s3_key}"
    assert (only(world)["downloads"], only(world)["state"]) == (2, "open")


def test_a_link_ends_at_its_time_after_its_count_or_when_revoked_all_alike(world):
    this_file = world.stores("m-1")
    late = share(world, this_file, expires_in_seconds=60)
    once = share(world, this_file, downloads_max=1)
    revoked = share(world, this_file)
    lost = share(world, world.stores("m-2"))
    follow(world, late)
    follow(world, once)
    world.share.revoke("ada", revoked, TRACE)
    world.change("ada", world.row(this_file).file_id, Edit("still the same file"), TRACE)
    follow(world, late)
    world.clock.advance(seconds=60)
    states = {told["shareId"]: told["state"] for told in world.share.list("ada", None)["shares"]}
    assert [states[link] for link in (late, once, revoked)] == ["expired", "used_up", "revoked"]
    world.change("ada", world.share.list("ada", None)["shares"][0]["fileId"], Delete(), TRACE)
    states = {told["shareId"]: told["state"] for told in world.share.list("ada", None)["shares"]}
    assert states[lost] == "file_gone"
    reasons = {ended(world, link) for link in (late, once, revoked, lost, new_share_id(), "x")}
    assert len(reasons) == 1


def test_a_link_works_again_when_its_file_is_restored(world):
    this_file = world.stores("m-1")
    link = share(world, this_file)
    world.change("ada", this_file, Delete(), TRACE)
    ended(world, link)
    world.change("ada", this_file, Restore(), TRACE)
    follow(world, link)


def test_a_password_is_asked_for_and_kept_only_as_a_hash(world):
    this_file = world.stores("m-1")
    link = share(world, this_file, password="sesame", downloads_max=1)
    for password in (None, "", "Sesame"):
        with pytest.raises(PasswordRequired):
            follow(world, link, password)
    follow(world, link, "sesame")
    assert only(world)["downloads"] == 1
    assert only(world)["hasPassword"] is True
    assert not [m for m in world.log.messages if b"sesame" in m.value]
    assert "sesame" not in repr(world.store.kept)


def test_passwords_cannot_be_guessed_quickly(world):
    link = share(world, world.stores("m-1"), password="sesame")
    for _ in range(10):
        with pytest.raises(PasswordRequired):
            follow(world, link, "wrong")
    with pytest.raises(TooManyTries):
        follow(world, link, "sesame")
    world.clock.advance(seconds=61)
    follow(world, link, "sesame")


def test_one_download_is_never_given_twice_to_racers(world):
    """Somebody else takes the last download between the look and the count."""
    link = share(world, world.stores("m-1"), downloads_max=1)
    look = world.share.open_link

    def raced(share_id):
        found = look(share_id)
        world.store.count_download(found[0])
        return found

    object.__setattr__(world.share, "open_link", raced)
    ended(world, link)
    assert only(world)["downloads"] == 1


def test_somebody_who_guesses_locks_only_themselves_out(world):
    link = share(world, world.stores("m-1"), password="sesame")
    for _ in range(11):
        with pytest.raises((PasswordRequired, TooManyTries)):
            world.share.link_url(link, "wrong", TRACE, "203.0.113.9")
    assert world.share.link_url(link, "sesame", TRACE, "198.51.100.7")


def test_nobody_lists_or_revokes_the_links_of_another(world):
    link = share(world, world.stores("m-1"))
    assert world.share.list("grace", None) == {"shares": []}
    for name in (link, new_share_id(), "x"):
        with pytest.raises(NotFound, match="no such link"):
            world.share.revoke("grace", name, TRACE)
    follow(world, link)


def test_only_ones_own_stored_file_can_be_shared(world):
    pending = world.ask("m-1")
    world.settles()
    with pytest.raises(NotStored):
        share(world, pending)
    stored = world.stores("m-2")
    for name in (stored, stored[::-1], "x"):
        with pytest.raises(NotFound):
            share(world, name, user="grace")


def test_a_public_file_is_there_for_anybody_until_it_is_private_or_deleted(world):
    this_file = world.stores("m-1")

    def refused(name=this_file):
        with pytest.raises(NotFound) as error:
            world.share.public_url(name, TRACE)
        return str(error.value)

    reasons = {refused()}
    world.change("ada", this_file, Edit(visibility=Visibility.PUBLIC), TRACE)
    assert world.share.public_url(this_file, TRACE)
    world.change("ada", this_file, Delete(), TRACE)
    reasons.add(refused())
    world.change("ada", this_file, Restore(), TRACE)
    assert world.share.public_url(this_file, TRACE)
    world.change("ada", this_file, Edit(visibility=Visibility.PRIVATE), TRACE)
    reasons |= {refused(), refused(this_file[::-1]), refused("x")}
    assert len(reasons) == 1


def test_the_owner_sees_every_download_and_how(world):
    this_file = world.stores("m-1")
    link = share(world, this_file)
    world.change("ada", this_file, Edit(visibility=Visibility.PUBLIC), TRACE)
    world.files.download_url("ada", this_file, TRACE)
    world.clock.advance(seconds=1)
    world.share.public_url(this_file, TRACE)
    world.clock.advance(seconds=1)
    follow(world, link)
    world.applies()
    world.applies()  # delivered again
    told = world.history.downloads("ada", this_file)
    assert (told["count"], [one["by"] for one in told["downloads"]]) == (
        3,
        ["share", "public", "owner"],
    )
    assert told["downloads"][0]["shareId"] == link


def test_downloads_go_on_while_the_log_is_away(world):
    this_file = world.stores("m-1")
    link = share(world, this_file, downloads_max=1)

    def away(messages):
        raise Unavailable("the log is away")

    world.log.append = away
    assert follow(world, link)
    assert world.files.download_url("ada", this_file, TRACE)
    ended(world, link)


def test_a_download_that_was_written_down_late_is_counted_once_too():
    """It failed at first, and comes from a retry topic, behind a younger one."""
    history = Downloads("ada", "f")
    young, late = (Download(name, 1, "owner", None, "t") for name in ("young", "late"))
    history = history.with_one(young, (0, 7)).with_one(late, None).with_one(late, None)
    assert (history.count, history.offset) == (2, 7)
    assert history.with_one(young, (0, 7)) is history


def test_a_download_is_counted_once_and_always_also_when_partitions_were_added():
    """Its file's events go on in another one, whose offsets begin anew."""
    history = Downloads("ada", "f", count=1, offset=1_000_000)  # an older release's
    assert history.with_one(Download("old", 1, "owner", None, "t"), (0, 7)) is history
    history = history.with_one(Download("last", 1, "owner", None, "t"), (0, 1_000_001))
    for offset in range(2, 60):
        history = history.with_one(Download(f"d-{offset}", 1, "owner", None, "t"), (5, offset))
    assert (history.count, history.partition, history.offset) == (60, 5, 59)
    assert history.with_one(Download("d-2", 1, "owner", None, "t"), (5, 2)) is history
