"""What AWS, or Terraform, has ready before any of our code runs: bucket, queue, store, topics.

Every function may be called again: what exists already is left as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psycopg
from botocore.config import Config
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError
from psycopg import sql

from hoist.adapters import dynamodb_items as items
from hoist.adapters.sql import SqlMetadata
from hoist.adapters.sql_database import connect
from hoist.domain import messages
from hoist.domain.decisions import DECISIONS_TOPIC
from hoist.domain.listing import Order

PARTITIONS = 4


def client(service: str, settings: Mapping[str, str]) -> Any:
    """A boto3 client that takes its endpoint and credentials from *settings* alone."""
    endpoint = settings.get(f"AWS_ENDPOINT_URL_{service.upper()}", settings["AWS_ENDPOINT_URL"])
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=settings["AWS_DEFAULT_REGION"],
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            signature_version="v4" if service != "s3" else "s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=2,
            read_timeout=10,
            retries={"total_max_attempts": 2},
        ),
    )


def everything(settings: Mapping[str, str]) -> None:
    create_bucket(settings, settings["HOIST_BUCKET"], settings["HOIST_BUCKET_EVENTS_QUEUE"])
    create_store(settings)
    create_topics(settings["HOIST_KAFKA_BOOTSTRAP"])


def create_store(settings: Mapping[str, str]) -> None:
    """The DynamoDB table, or the SQL database with every migration applied."""
    scheme, _, place = settings["HOIST_STORE"].partition("://")
    if scheme == "dynamodb":
        create_table(settings, place)
        return
    if scheme == "sqlite":
        Path(place.removeprefix("/")).parent.mkdir(parents=True, exist_ok=True)
    else:
        create_database(settings["HOIST_STORE"])
    with contextlib.closing(SqlMetadata(connect(settings["HOIST_STORE"]))) as store:
        store.migrate()


def create_database(url: str) -> None:
    """The PostgreSQL database of *url*, empty."""
    name = sql.Identifier(urlsplit(url).path.removeprefix("/"))
    with (
        psycopg.connect(server_of(url), autocommit=True, connect_timeout=5) as server,
        contextlib.suppress(psycopg.errors.DuplicateDatabase),
    ):
        server.execute(sql.SQL("CREATE DATABASE {}").format(name))


def server_of(url: str) -> str:
    """The database beside that of *url* which is always there."""
    return urlsplit(url)._replace(path="/postgres").geturl()


def create_bucket(settings: Mapping[str, str], bucket: str, queue: str) -> None:
    """A bucket browsers may PUT to, which reports every new file to *queue*, but no archive."""
    s3, region = client("s3", settings), settings["AWS_DEFAULT_REGION"]
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    rule = {
        "AllowedMethods": ["PUT", "GET", "HEAD"],
        "AllowedOrigins": ["*"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag", "x-amz-checksum-sha256"],
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    notification = {
        "Id": "uploads",
        "QueueArn": create_queue(settings, queue),
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "files/"}]}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [notification]}
    )


def create_queue(settings: Mapping[str, str], queue: str) -> str:
    """A queue whose messages come back after 10 s, 20 times, then rest in a second one."""
    sqs = client("sqs", settings)
    dead = sqs.create_queue(QueueName=f"{queue}-dlq")["QueueUrl"]
    redrive = {"deadLetterTargetArn": _arn(sqs, dead), "maxReceiveCount": "20"}
    attributes = {"VisibilityTimeout": "10", "RedrivePolicy": json.dumps(redrive)}
    return _arn(sqs, sqs.create_queue(QueueName=queue, Attributes=attributes)["QueueUrl"])


def _arn(sqs: Any, url: str) -> str:
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(told["Attributes"]["QueueArn"])


def create_table(settings: Mapping[str, str], table: str) -> None:
    """Rows by user; a user's files in each order of a list; any row by its id; what is due."""
    dynamodb = client("dynamodb", settings)
    keys_only = {"ProjectionType": "KEYS_ONLY"}

    def index(name: str, *keys: str, projection: dict[str, Any] = keys_only) -> dict[str, Any]:
        kinds = zip(keys, ("HASH", "RANGE"), strict=False)
        schema = [{"AttributeName": key, "KeyType": kind} for key, kind in kinds]
        return {"IndexName": name, "KeySchema": schema, "Projection": projection}

    def by_order(order: Order) -> dict[str, Any]:
        own = items.SORTS[order]
        needed = [name for name in items.LISTED if name != own]
        listed = {"ProjectionType": "INCLUDE", "NonKeyAttributes": needed}
        return index(items.INDEXES[order], "userId", own, projection=listed)

    types = {"userId": "S", "fileId": "S", "dueShard": "S", "dueAt": "N"}
    types |= dict.fromkeys(items.SORTS.values(), "S")
    with contextlib.suppress(dynamodb.exceptions.ResourceInUseException):
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind} for name, kind in types.items()
            ],
            KeySchema=[
                {"AttributeName": "userId", "KeyType": "HASH"},
                {"AttributeName": "fileId", "KeyType": "RANGE"},
            ],
            LocalSecondaryIndexes=[by_order(order) for order in Order],
            GlobalSecondaryIndexes=[index("by-file", "fileId"), index("due", "dueShard", "dueAt")],
        )
    dynamodb.get_waiter("table_exists").wait(
        TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )


def create_topics(bootstrap: str, prefix: str = "") -> None:
    """The lanes, archives, and each group's retries; kept for ever are the metadata log, dead
    letters, and what is decided about them."""
    kept = {"retention.ms": "-1"}
    # What failed is moved with headers that say why: it may not be too large for that.
    roomy = {"max.message.bytes": str(3 * 1024**2)}
    groups = messages.setting_aside()
    topics = [
        *(NewTopic(prefix + messages.ingest_topic(lane), PARTITIONS, 1) for lane in messages.LANES),
        NewTopic(prefix + messages.ARCHIVES_TOPIC, PARTITIONS, 1),
        NewTopic(prefix + messages.METADATA_TOPIC, PARTITIONS, 1, topic_configs=kept),
        NewTopic(prefix + DECISIONS_TOPIC, 1, 1, topic_configs=kept),
        *(
            NewTopic(prefix + messages.dead_letter_topic(group), 1, 1, topic_configs=kept | roomy)
            for group in groups
        ),
        *(
            NewTopic(prefix + messages.retry_topic(group, seconds), 1, 1, topic_configs=roomy)
            for group in groups
            for seconds in messages.RETRY_SECONDS
        ),
    ]
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        missing = {topic.name for topic in topics} - set(admin.list_topics())
        for topic in topics:
            if topic.name in missing:
                with contextlib.suppress(TopicAlreadyExistsError):
                    admin.create_topics([topic])
    finally:
        admin.close()


if __name__ == "__main__":
    everything(os.environ)
