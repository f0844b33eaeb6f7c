"""The capacity model: its units, what follows the peak and what the mean, and its page."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.capacity import aws, costs, people, tables, units
from bench.capacity.figures import figures
from bench.capacity.limits import limits
from bench.capacity.model import grant_ms, needs, partitions, rates
from bench.capacity.money import month

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "capacity.md").read_text()
MILLION_A_MONTH = 1_000_000 / 30  # users, at one upload a day


@pytest.fixture
def assume(monkeypatch):
    """Replaces assumptions."""

    def set_all(**values):
        for name, value in values.items():
            monkeypatch.setattr(people, name, value)

    return set_all


def test_rates_are_a_seconds_and_of_the_peak_but_for_the_days_uploads(assume):
    assume(UPLOADS_PER_USER_DAY=2, PEAK_FACTOR=10, LISTS_PER_USER_DAY=3)
    now = rates(86_400)
    assert now.day == 172_800
    assert now.uploads == pytest.approx(20)
    assert now.lists == pytest.approx(30)


def test_sockets_are_those_open_at_once_and_as_many_come_as_go(assume):
    assume(CONNECTED_MINUTES_DAY=144, SOCKET_MINUTES=2, PEAK_FACTOR=1, PING_SECONDS=60)
    now = rates(1000)
    assert now.sockets == pytest.approx(100)
    assert now.connects == pytest.approx(100 / 120)
    pings = now.frames - now.uploads * costs.FRAMES_PER_UPLOAD
    assert pings == pytest.approx(2 * 100 / 60)


def test_a_higher_peak_needs_more_of_what_is_a_seconds_and_no_more_of_what_is_kept(assume):
    assume(CONNECTED_MINUTES_DAY=0, PEAK_FACTOR=1)
    flat, paid = needs(50e6), month(50e6)
    assume(PEAK_FACTOR=10)
    steep, paid_steep = needs(50e6), month(50e6)
    for name in ("wcu", "rcu", "due_wcu", "kafka_bytes", "concurrency", "redis_ops", "s3_puts"):
        assert getattr(steep, name) == pytest.approx(10 * getattr(flat, name)), name
    assert steep.metadata > flat.metadata
    for name in ("redis_bytes", "log_bytes_year", "abandoned"):
        assert getattr(steep, name) == pytest.approx(getattr(flat, name)), name
    for name in ("DynamoDB", "functions", "sockets and requests", "logs", "the downloads' bytes"):
        assert paid_steep[name] == pytest.approx(paid[name]), name


def test_a_partition_is_read_by_one_function_at_a_time_and_half_idle():
    assert partitions(200, batch_ms=1000) == 4
    assert partitions(201, batch_ms=1000) == 5
    assert partitions(0.01, batch_ms=1000) == 4


def test_a_batch_pays_its_waits_once_and_its_computing_for_each_record():
    one, hundred = grant_ms(1), grant_ms(100)
    assert 99 * costs.GRANT_CPU_MS < hundred - one < 99 * (costs.GRANT_CPU_MS + people.REDIS_MS + 1)
    assert one < 100  # milliseconds, as everybody waits for them


def test_a_million_uploads_cost_what_the_price_pages_say():
    paid = month(MILLION_A_MONTH)
    writes, uploads_reads = 29 * 0.625, 6 * 0.125
    lists_reads = 4 * (1 - people.LIST_HIT_SHARE) * 11 * 0.125
    stored = 4.570 * 0.25
    assert paid["DynamoDB"] == pytest.approx(writes + uploads_reads + lists_reads + stored)
    # A PUT; a GET; a message sent, and received and deleted with nine others.
    assert paid["S3 requests and SQS"] == pytest.approx(5 + 0.40 + 1.2 * 0.40)
    assert paid["the files themselves, each month they are kept"] == pytest.approx(5000 * 0.023)
    assert paid["the downloads' bytes"] == pytest.approx(5000 * 0.09)
    # Five messages and six pings; 15 million minutes; four lists and a download.
    assert paid["sockets and requests"] == pytest.approx(5 + 6 + 3.75 + 5)


def test_machines_that_wait_cost_the_same_for_one_user_as_for_ten_thousand():
    few, many = month(1), month(10_000)
    assert few["pollers"] == many["pollers"]
    assert few["MSK"] == pytest.approx(many["MSK"], rel=0.01)
    assert few["DynamoDB"] == pytest.approx(many["DynamoDB"] / 10_000)


@pytest.mark.parametrize("limit", limits(), ids=lambda limit: limit.name)
def test_the_users_who_reach_a_limit_use_all_of_it(limit):
    assert limit.use(needs(limit.users)) == pytest.approx(limit.most)


def test_limits_come_in_the_order_they_are_reached():
    users = [limit.users for limit in limits()]
    assert users == sorted(users)


def row(version, *, due=None, text="x" * 100, created="c1"):
    item = {"userId": {"S": "ada"}, "fileId": {"S": "f"}, "version": {"N": str(version)}}
    item |= {"file": {"S": text}, "createdSort": {"S": created}, "nameSort": {"S": "n"}}
    item |= {"sizeSort": {"S": "s"}}
    return item | ({"dueAt": {"N": str(due)}, "dueShard": {"S": "3"}} if due else {})


def test_a_first_write_is_paid_in_the_table_and_each_index_that_has_it():
    expected = {"table": 1, "by-created": 1, "by-name": 1, "by-size": 1, "by-file": 1}
    assert units.write(None, row(1), is_transaction=False) == expected
    due = units.write(None, row(1, due=5), is_transaction=False)
    assert due == expected | {"due": 1}


def test_an_index_is_not_paid_when_its_entry_stays_and_twice_when_it_moves():
    stays = units.write(row(1, due=5), row(2, due=5), is_transaction=False)
    assert stays == {"table": 1}
    moves = units.write(row(1, due=5), row(2, due=6, created="c2"), is_transaction=False)
    # The other two carry the key that changed: an entry that stays in its place, and is written.
    assert moves == {"table": 1, "by-created": 2, "by-name": 1, "by-size": 1, "due": 2}
    assert units.write(row(1, due=5), row(2), is_transaction=False) == {"table": 1, "due": 1}


def test_a_transaction_writes_table_and_local_indexes_twice():
    cost = units.write(None, row(1, due=5), is_transaction=True)
    assert cost == {
        "table": 2, "by-created": 2, "by-name": 2, "by-size": 2, "by-file": 1, "due": 1,
    }  # fmt: skip


def test_writes_are_paid_by_the_kilobyte_of_the_larger_row_and_reads_by_four():
    small = units.size(row(1, text=""))
    for length, blocks in ((1024 - small, 1), (1025 - small, 2)):
        big = row(1, text="x" * length)
        assert units.write(None, big, is_transaction=False)["table"] == blocks
        assert units.write(big, row(2, text=""), is_transaction=False)["table"] == blocks
    assert [units.read(row(1, text="x" * (size - small))) for size in (4096, 4097)] == [1, 2]
    assert units.read(None) == 1


def test_text_counts_in_bytes():
    assert units.size({"name": {"S": "é"}}) == 6


def test_figures_all_say_where_they_are_from():
    for module in (costs, people, aws):
        for name, figure in figures(module).items():
            assert figure.unit, name
            assert figure.source, name


@pytest.mark.parametrize("tell", [tables.needed, tables.paid, tables.broken])
def test_the_page_shows_what_the_model_says_now(tell):
    assert tell(tables.SIZES) in PAGE


def test_the_page_shows_what_one_user_can_reach():
    assert tables.one_user() in PAGE


@pytest.mark.parametrize("module", [costs, people, aws])
def test_the_page_shows_every_input(module):
    assert tables.inputs(module) in PAGE


def test_the_command_takes_any_number_of_users():
    command = [sys.executable, "-m", "bench.capacity", "--users", "250_000"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.startswith("| users | 250,000 |")
    refused = subprocess.run([*command[:-1], "0"], cwd=ROOT, capture_output=True, check=False)
    assert refused.returncode == 2
