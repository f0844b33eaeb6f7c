"""hoist doctor, as an operator runs it, and the commands that mend what it finds."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from hoist import wiring
from hoist.cli import main
from hoist.domain.errors import Outdated, Unavailable
from hoist.domain.listing import NEWEST_FIRST
from hoist.pipeline.doctor import Doctor, Finding, Seen
from tests.unit.test_lag import MemoryWatch
from tests.unit.world import World

LANE = "hoist.ingest.basic"


def away():
    raise Unavailable("the store does not answer")


FINDING = Finding("old_list", "ada", "the cache shows 1 files, the store 2", "hoist x ada", "why")


@pytest.fixture
def operator(monkeypatch):
    """Runs `hoist doctor` with these checks; ``asked`` is what it wanted to be checked."""

    def run(checks, *words, needs=()):
        asked = {}

        def doctor(**options):
            asked.update(options)
            return Doctor(checks, {"rows": needs})

        services = SimpleNamespace(doctor=doctor, close=lambda: None)
        monkeypatch.setattr(wiring, "services", lambda: services)
        told = CliRunner().invoke(main, ["doctor", *words])
        return told, asked

    return run


def test_when_all_agree_it_ends_well(operator):
    told, asked = operator({"rows": lambda: Seen("2 rows")}, "--deep", "--pages", "7")
    assert (told.exit_code, told.stdout) == (0, "")
    assert told.stderr.splitlines() == ["rows: 2 rows: agree", "All agree."]
    assert asked == {"is_deep": True, "unknown_seconds": 24 * 3600, "pages": 7}


def test_differences_are_rows_and_exit_code_1(operator):
    told, _ = operator({"lists": lambda: Seen("1 page", (FINDING,)), "rows": lambda: Seen("none")})
    assert told.exit_code == 1
    cells = ["lists", *(getattr(FINDING, name) for name in FINDING.__slots__)]
    assert told.stdout == "\t".join(cells) + "\n"
    assert "lists: 1 page: 1 difference\nrows: none: agree\n" in told.stderr


def test_a_part_that_is_away_is_named_and_the_others_are_looked_at(operator):
    checks = {"rows": away, "lists": lambda: Seen("1 page", (FINDING,))}
    told, _ = operator(checks)
    assert told.exit_code == 4
    assert "rows: could not look: the store does not answer" in told.stderr
    assert "could not look at rows; elsewhere 1 difference" in told.stderr
    assert "hoist x ada" in told.stdout


def test_a_part_that_a_newer_release_has_written_hides_none_of_the_others(operator):
    def newer():
        raise Outdated("a newer release has decided")

    told, _ = operator({"letters": newer, "lists": lambda: Seen("1 page", (FINDING,))})
    assert told.exit_code == 4
    assert "letters: could not look: a newer release has decided" in told.stderr
    assert "hoist x ada" in told.stdout


def test_a_part_is_not_begun_while_what_it_needs_is_away(operator):
    told, _ = operator({"rows": lambda: 1 / 0}, needs=(away,))
    assert told.exit_code == 4


@pytest.mark.parametrize("words", [("--json",), ("-o", "json")])
def test_programs_get_one_document(operator, words):
    told, _ = operator({"rows": away, "lists": lambda: Seen("1 page", (FINDING,))}, *words)
    assert json.loads(told.stdout) == {
        "parts": [
            {
                "part": "rows",
                "looked": None,
                "problem": "the store does not answer",
                "differences": None,
            },
            {"part": "lists", "looked": "1 page", "problem": None, "differences": 1},
        ],
        "differences": [
            {
                "part": "lists",
                "kind": "old_list",
                "subject": "ada",
                "detail": "the cache shows 1 files, the store 2",
                "mend": "hoist x ada",
                "advice": "why",
            }
        ],
    }


@pytest.fixture
def world():
    return World()


@pytest.fixture
def watch():
    return MemoryWatch()


@pytest.fixture
def mends(monkeypatch, world, watch):
    services = SimpleNamespace(
        cache=world.cache,
        log_watch=watch,
        settings=SimpleNamespace(topic_prefix=""),
        close=lambda: None,
    )
    monkeypatch.setattr(wiring, "services", lambda: services)
    return lambda *words: CliRunner().invoke(main, ["admin", *words])


def test_forgotten_lists_come_from_the_store(world, mends):
    world.files.list("ada", NEWEST_FIRST, 2, None)
    assert len(list(world.cache.scan())) == 1
    assert mends("forget-lists", "ada", "grace").exit_code == 0
    assert list(world.cache.scan()) == []


def test_lists_that_cannot_be_forgotten_now_are_exit_code_4(world, mends):
    world.cache.invalidate = lambda users: None
    assert mends("forget-lists", "ada").exit_code == 4
    world.cache.generation = lambda user: None
    assert mends("forget-lists", "ada").exit_code == 4


def test_only_offsets_outside_of_the_log_are_rewound(watch, mends):
    watch.behind[LANE] = (40, 30, None)
    assert mends("rewind", "upload-basic").exit_code == 0
    assert watch.rewound == []
    watch.behind[LANE] = (40, 41, None)
    told = mends("rewind", "upload-basic")
    assert f"{LANE}:0 from 41 to 0" in told.stderr
    [(group, places)] = watch.rewound
    assert (group, [one.topic for one in places]) == ("upload-basic", [LANE])
    assert mends("rewind", "nobody").exit_code == 2
