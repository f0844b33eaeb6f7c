"""What AWS, or Terraform, has ready before any of our code runs: bucket, queue, table, topics.

Every function may be called again: what exists already is left as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from hoist.domain import messages

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
    create_table(settings, settings["HOIST_TABLE"])
    create_topics(settings["HOIST_KAFKA_BOOTSTRAP"])


def create_bucket(settings: Mapping[str, str], bucket: str, queue: str) -> None:
    """A bucket browsers may PUT to, which reports every new object to *queue*."""
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
    notification = {"Id": "uploads", "QueueArn": create_queue(settings, queue)}
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [notification | {"Events": ["s3:ObjectCreated:*"]}]
        },
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
    """Files by user; by creation within a user; by file id; and the pending ones by deadline."""
    dynamodb = client("dynamodb", settings)

    def index(name: str, hash_key: str, range_key: str | None, projection: str) -> dict[str, Any]:
        keys = [{"AttributeName": hash_key, "KeyType": "HASH"}]
        if range_key:
            keys.append({"AttributeName": range_key, "KeyType": "RANGE"})
        return {
            "IndexName": name,
            "KeySchema": keys,
            "Projection": {"ProjectionType": projection},
        }

    types = {"userId": "S", "fileId": "S", "createdSort": "S", "pendingShard": "S"}
    types["settleAfter"] = "N"
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
            LocalSecondaryIndexes=[index("by-created", "userId", "createdSort", "ALL")],
            GlobalSecondaryIndexes=[
                index("by-file", "fileId", None, "KEYS_ONLY"),
                index("pending", "pendingShard", "settleAfter", "KEYS_ONLY"),
            ],
        )
    dynamodb.get_waiter("table_exists").wait(
        TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )


def create_topics(bootstrap: str, prefix: str = "") -> None:
    """The lanes, the metadata log (kept for ever), and a dead letter topic for each group."""
    kept = {"retention.ms": "-1"}
    groups = [*messages.GROUPS.values(), messages.METADATA_GROUP, messages.BUCKET_GROUP]
    topics = [
        *(NewTopic(prefix + messages.ingest_topic(lane), PARTITIONS, 1) for lane in messages.LANES),
        NewTopic(prefix + messages.METADATA_TOPIC, PARTITIONS, 1, topic_configs=kept),
        *(
            NewTopic(prefix + messages.dead_letter_topic(group), 1, 1, topic_configs=kept)
            for group in groups
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
