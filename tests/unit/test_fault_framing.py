"""Where requests begin and end, however the network cut them."""

import pytest

from emulation.faults.framing import Requests

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
PUT = b"PUT /b HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\nhello"
CHUNKED = (
    b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nx-checksum: 1\r\n\r\n"
)
UPGRADE = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
FRAMES = b"\x81\x05hello GET / HTTP/1.1\r\n\r\n"


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_requests_are_told_apart_and_not_a_byte_is_changed(size):
    requests, told = Requests(), []
    for piece in cut(GET + PUT + CHUNKED + GET + PUT, size):
        for part in requests.feed(piece):
            if part.head:
                told.append([part.head.method, b"", False])
            told[-1][1] += part.data
            told[-1][2] = part.is_last
    assert [method for method, _, _ in told] == ["GET", "PUT", "POST", "GET", "PUT"]
    assert [data for _, data, _ in told] == [GET, PUT, CHUNKED, GET, PUT]
    assert all(is_whole for _, _, is_whole in told)


def test_an_expectation_is_seen_in_any_case():
    [head, _] = Requests().feed(PUT)
    assert head.head.expects_continue


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "data", [UPGRADE + FRAMES, b"\x16\x03\x01\x02\r\n\r\n" + GET, b"x" * 99_999]
)
def test_what_is_not_http_any_more_goes_through(data, size):
    requests = Requests()
    parts = [part for piece in cut(data, size) for part in requests.feed(piece)]
    assert b"".join(part.data for part in parts) == data
    assert len([part for part in parts if part.head]) == (1 if data.startswith(b"GET") else 0)
