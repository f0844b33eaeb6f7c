"""What Kafka and CloudWatch really say: the lag of a group, and numbers under AWS's names."""

import secrets
import time

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.admin import NewTopic

from emulation import provision
from hoist.adapters import aws, sqs
from hoist.adapters.aws_json import JsonCalls
from hoist.adapters.cloudwatch import CloudWatch
from hoist.adapters.kafka_lag import KafkaWatch
from hoist.domain.errors import InvalidRequest, Unavailable
from hoist.domain.lag import Metric
from hoist.domain.ports import Message

PATIENCE_SECONDS = 30


@pytest.fixture
def admin(bootstrap):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    yield admin
    admin.close()


@pytest.fixture
def fresh(admin):
    """A topic of two partitions that nobody wrote to."""
    name = f"contracts-lag-{secrets.token_hex(4)}"
    admin.create_topics([NewTopic(name, 2, 1)])
    return name


@pytest.fixture
def group():
    return f"contracts-{secrets.token_hex(4)}"


@pytest.fixture
def watch(bootstrap):
    watch = KafkaWatch(bootstrap)
    yield watch
    watch.close()


@pytest.fixture
def commit(bootstrap, group):
    """``commit(partition, offset)`` for the group."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)

    def commit(partition, offset):
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(offset, "", 0)})

    yield commit
    consumer.close()


def test_a_group_that_never_committed_is_behind_from_the_beginning(
    watch, kafka_log, fresh, group, commit
):
    before = int(time.time() * 1000)
    places = kafka_log.append([Message(fresh, "ada", str(n).encode()) for n in range(5)])
    used = places[0].partition
    found = {one.partition: one for one in watch.places({group: [fresh]})}
    assert found.keys() == {0, 1}
    one, empty = found[used], found[1 - used]
    assert (one.end, one.committed, one.following) == (5, None, 0)
    assert before <= one.following_ms <= time.time() * 1000
    assert (empty.end, empty.following, empty.following_ms) == (0, 0, None)

    commit(TopicPartition(fresh, used), 3)
    [one] = [one for one in watch.places({group: [fresh]}) if one.partition == used]
    assert (one.end, one.committed, one.following) == (5, 3, 3)
    assert one.following_ms >= before

    commit(TopicPartition(fresh, used), 5)
    [one] = [one for one in watch.places({group: [fresh]}) if one.partition == used]
    assert (one.committed, one.following, one.following_ms) == (5, 5, None)


def test_the_age_is_that_of_the_first_record_not_committed(watch, kafka_log, fresh, group, commit):
    (first,) = kafka_log.append([Message(fresh, "ada", b"1")])
    commit(TopicPartition(fresh, first.partition), first.offset + 1)
    time.sleep(0.05)  # their times must differ
    between = int(time.time() * 1000)
    kafka_log.append([Message(fresh, "ada", b"2"), Message(fresh, "ada", b"x" * 100_000)])
    for _ in range(2):
        [one] = [o for o in watch.places({group: [fresh]}) if o.partition == first.partition]
        assert (one.following, one.end) == (1, 3)
        assert one.following_ms >= between


def test_records_that_were_deleted_are_nobodys_lag(watch, kafka_log, admin, fresh, group):
    (place, *_) = kafka_log.append([Message(fresh, "ada", str(n).encode()) for n in range(5)])
    admin.delete_records({TopicPartition(fresh, place.partition): 4})
    [one] = [o for o in watch.places({group: [fresh]}) if o.partition == place.partition]
    assert (one.end, one.following) == (5, 4)
    assert watch.sizes([fresh]) == {fresh: 1}


def test_a_partition_is_owned_while_somebody_reads_it(watch, bootstrap, fresh, group):
    assert watch.owned([group]) == set()
    consumer = KafkaConsumer(
        fresh, bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False
    )
    both = {(group, fresh, 0), (group, fresh, 1)}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while watch.owned([group]) != both:
        assert time.monotonic() < deadline
        consumer.poll(timeout_ms=100)
    with pytest.raises(InvalidRequest, match="stop its workers"):
        watch.rewind(group, watch.places({group: [fresh]}))
    consumer.close()
    while watch.owned([group]):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_offset_outside_of_the_log_is_brought_back_into_it(
    watch, kafka_log, admin, fresh, group, commit
):
    (place, *_) = kafka_log.append([Message(fresh, "ada", str(n).encode()) for n in range(5)])
    used = TopicPartition(fresh, place.partition)
    admin.delete_records({used: 2})
    for outside in (1, 9):
        commit(used, outside)
        [one] = [one for one in watch.places({group: [fresh]}) if one.is_outside]
        assert (one.begin, one.committed, one.end) == (2, outside, 5)
        watch.rewind(group, [one])
        [one] = [o for o in watch.places({group: [fresh]}) if o.partition == used.partition]
        assert (one.committed, one.following, one.is_outside) == (2, 2, False)


def test_sizes_count_every_partition(watch, kafka_log, fresh):
    assert watch.sizes([fresh]) == {fresh: 0}
    kafka_log.append([Message(fresh, str(n), b"x") for n in range(20)])
    assert watch.sizes([fresh]) == {fresh: 20}


def test_a_topic_that_is_not_there_is_unavailable_and_the_next_look_works(watch, fresh, group):
    with pytest.raises(Unavailable):
        watch.places({group: [fresh, "contracts-never"]})
    with pytest.raises(Unavailable):
        watch.sizes(["contracts-never"])
    assert len(watch.places({group: [fresh]})) == 2


def test_without_brokers_it_says_so(unused_port):
    with pytest.raises(Unavailable):
        KafkaWatch(f"127.0.0.1:{unused_port}").sizes(["any"])


def test_cloudwatch_keeps_each_number_with_its_dimensions(as_process):
    client, space = aws.client("cloudwatch"), f"contracts-{secrets.token_hex(4)}"
    now_ms = int(time.time() * 1000)
    by_topic = {"Consumer Group": "upload-basic", "Topic": "hoist.ingest.basic"}
    CloudWatch(client).put(
        [
            Metric(space, "SumOffsetLag", 7, "Count", by_topic),
            Metric(f"{space}-own", "DeadLetters", 2, "Count", {"Consumer Group": "archives"}),
        ],
        now_ms,
    )
    told = client.get_metric_statistics(
        Namespace=space,
        MetricName="SumOffsetLag",
        Dimensions=[{"Name": name, "Value": value} for name, value in by_topic.items()],
        StartTime=now_ms / 1000 - 120,
        EndTime=now_ms / 1000 + 120,
        Period=60,
        Statistics=["Maximum"],
    )
    assert [point["Maximum"] for point in told["Datapoints"]] == [7]
    [own] = client.list_metrics(Namespace=f"{space}-own")["Metrics"]
    assert own["MetricName"] == "DeadLetters"


def test_more_numbers_than_one_call_takes_are_all_kept(as_process):
    client, space = aws.client("cloudwatch"), f"contracts-{secrets.token_hex(4)}"
    many = [Metric(space, f"n-{n}", n, "Count", {}) for n in range(600)]
    CloudWatch(client).put(many, int(time.time() * 1000))
    pages = client.get_paginator("list_metrics").paginate(Namespace=space)
    assert sum(len(page["Metrics"]) for page in pages) == 600


def test_the_dead_letters_of_a_queue_are_counted(as_process):
    """Those of the queue that its redrive policy names."""
    name = f"contracts-{secrets.token_hex(4)}"
    provision.create_queue(as_process, name)
    call = JsonCalls(aws.client("sqs"))
    assert sqs.dead_letters(call, name) == 0
    url = call("GetQueueUrl", QueueName=f"{name}-dlq")["QueueUrl"]
    call("SendMessage", QueueUrl=url, MessageBody="x")
    assert sqs.dead_letters(call, name) == 1
    assert sqs.dead_letters(call, f"{name}-dlq") == 0, "it has no policy"
    with pytest.raises(Unavailable, match="tells us nothing"):
        sqs.dead_letters(call, "never-made")
