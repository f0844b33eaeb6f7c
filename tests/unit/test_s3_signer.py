"""Every URL is, byte for byte, the one that boto3 itself would make."""

import boto3
import pytest
from botocore.exceptions import CredentialRetrievalError

from hoist.adapters import aws
from hoist.adapters.s3 import content_disposition
from hoist.adapters.s3_signer import S3Signer
from hoist.domain.errors import Unavailable

KEY = "files/aa/aa000000-0000-5000-8000-000000000000"
SHA256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
ENDPOINTS = {
    "AWS": "",
    "an emulator": "http://127.0.0.1:4566",
    "a path": "https://cdn.example/under/a+b",
    "a usual port": "https://CDN.example:443",
    "IPv6": "http://[::1]:4566",
}
CALLS = {
    "get": (
        ("get_object", {"ResponseContentType": "text/plain"}),
        ("GET", {"response-content-type": "text/plain"}, {}),
    ),
    "put": (
        (
            "put_object",
            {
                "ContentLength": 12,
                "ContentType": "text/plain; charset=utf-8",
                "IfNoneMatch": "*",
                "ChecksumSHA256": SHA256,
            },
        ),
        (
            "PUT",
            {},
            {
                "Content-Length": "12",
                "Content-Type": "text/plain; charset=utf-8",
                "If-None-Match": "*",
                "x-amz-checksum-sha256": SHA256,
            },
        ),
    ),
    "part": (
        ("upload_part", {"UploadId": "u~1.a+/=", "PartNumber": 7, "ContentLength": 5}),
        ("PUT", {"partNumber": "7", "uploadId": "u~1.a+/="}, {"Content-Length": "5"}),
    ),
}


@pytest.fixture(params=["", "a/session+token=="], ids=["a user's keys", "a role's"])
def credentials(request, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret/+")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_SESSION_TOKEN", request.param)
    boto3.setup_default_session()
    yield aws.own_credentials
    monkeypatch.undo()
    boto3.setup_default_session()


def both(client, signer, key, call):
    """The URL of boto3 and ours, of the same second."""
    (operation, params), (method, query, headers) = call
    while True:
        whole = {"Bucket": "hoist", "Key": key, **params}
        before = client.generate_presigned_url(operation, whole, 900)
        ours = signer.url(method, key, expires_seconds=900, query=query, headers=headers)
        if client.generate_presigned_url(operation, whole, 900) == before:
            return parts(before), parts(ours)


def parts(url):
    """Its place, and its parameters: their order means nothing."""
    place, _, query = url.partition("?")
    return place, sorted(query.split("&"))


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)
@pytest.mark.parametrize("name", CALLS)
def test_it_is_what_boto3_makes(credentials, endpoint, name):
    client = aws.client("s3", endpoint)
    theirs, ours = both(client, S3Signer(client, credentials, "hoist"), KEY, CALLS[name])
    assert ours == theirs


@pytest.mark.parametrize("key", ["a b/ü", "files/~x+y", "100%/&=?#", "a//b/./c"])
def test_any_key_and_name_is_escaped_alike(credentials, key):
    client = aws.client("s3")
    told = content_disposition('ü "quoted" & 100%.txt')
    call = (
        ("get_object", {"ResponseContentDisposition": told}),
        ("GET", {"response-content-disposition": told}, {}),
    )
    theirs, ours = both(client, S3Signer(client, credentials, "hoist"), key, call)
    assert ours == theirs


def test_while_there_are_no_credentials_it_is_unavailable_and_then_it_signs(credentials):
    found = iter([None, credentials()])
    signer = S3Signer(aws.client("s3"), lambda: next(found), "hoist")
    with pytest.raises(Unavailable):
        signer.url("GET", KEY, expires_seconds=900)
    assert "X-Amz-Signature=" in signer.url("GET", KEY, expires_seconds=900)


def test_a_role_that_does_not_answer_is_unavailable():
    class Away:
        def get_frozen_credentials(self):
            raise CredentialRetrievalError(provider="a role", error_msg="timed out")

    with pytest.raises(Unavailable):
        S3Signer(None, Away, "hoist").url("GET", KEY, expires_seconds=900)
