"""500 uploads at once: none lost, none double, and the list pages through exactly those."""

from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

from tests.e2e.raw_client import RawSocket, describe, list_all, put

COUNT, AT_ONCE = 500, 50


def test_500_uploads_at_concurrency_50(stack):
    token = stack.new_user("ada")
    body = b"x" * 16 * 1024

    def share(worker):
        done = []
        with RawSocket(stack.urls[worker % 2], token) as socket:
            for number in range(worker, COUNT, AT_ONCE):
                ready = socket.request(describe(f"{number}.bin", body))
                assert ready["event"] == "upload.ready", ready
                assert put(ready["upload"], body).status_code == 200
                socket.hear("upload.stored", file_id=ready["fileId"])
                done.append(ready["fileId"])
        return done

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ids = [file_id for done in pool.map(share, range(AT_ONCE)) for file_id in done]
    assert len(set(ids)) == COUNT

    listed = list_all(stack.url, token, limit=37)
    assert sorted(file["fileId"] for file in listed) == sorted(ids)
    assert {file["status"] for file in listed} == {"stored"}
    times = [file["createdAt"] for file in listed]
    assert times == sorted(times, reverse=True)

    s3 = boto3.client(
        "s3",
        endpoint_url=stack.settings["AWS_ENDPOINT_URL"],
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}),
    )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=stack.settings["HOIST_BUCKET"])
    keys = {item["Key"] for page in pages for item in page.get("Contents", [])}
    assert {file["s3Key"] for file in listed} <= keys
