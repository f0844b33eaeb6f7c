"""5xx as each service words them, so that its own client library takes them for real.

S3        https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
DynamoDB  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

import secrets

from emulation.faults.framing import Head

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
XML, JSON, AMZ_JSON = "application/xml", "application/json", "application/x-amz-json-1.0"
SLOW_DOWN = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message>"
    "<RequestId>{id}</RequestId></Error>"
)
DYNAMODB = "com.amazonaws.dynamodb.v20120810#InternalServerError"
# Status line, content type, header of the request id, body.
ANSWERS = {
    "s3": ("503 Slow Down", XML, "x-amz-request-id", SLOW_DOWN),
    "dynamodb": (
        "500 Internal Server Error",
        AMZ_JSON,
        "x-amzn-RequestId",
        f'{{"__type":"{DYNAMODB}","message":"The request processing has failed"}}',
    ),
    "sqs": (
        "503 Service Unavailable",
        AMZ_JSON,
        "x-amzn-RequestId",
        '{"__type":"com.amazonaws.sqs#ServiceUnavailable","message":"Service Unavailable"}',
    ),
    "http": ("503 Service Unavailable", JSON, "x-request-id", '{"message":"Service Unavailable"}'),
}


def answer(protocol: str, head: Head) -> bytes:
    """What *protocol* says to the request of *head* when it cannot serve it."""
    status, kind, id_header, text = ANSWERS[protocol]
    request_id = secrets.token_hex(8).upper()
    body = text.replace("{id}", request_id).encode()
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        f"{id_header}: {request_id}",
    )
    # A HEAD is answered with the length that a GET would have, and nothing more.
    sent = b"" if head.method == "HEAD" else body
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + sent
