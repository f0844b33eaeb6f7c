"""Limits hold to the byte under a race from two gateways, with Redis flushed in the middle."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import redis

from tests.e2e.raw_client import RawSocket, describe, new_message_id, put, rest

KIB = 1024
ASKED, FITS = 200, 10


def ask(stack, token, sockets, number, body, flush):
    """Ask for one upload over either transport and gateway; returns its ready or refusal."""
    if number == ASKED // 2:
        flush()
    file, url = describe(f"{number}.bin", body), stack.urls[number % 2]
    if number % 3 == 0:
        request = {"messageId": new_message_id(), "file": file}
        headers = rest(token) | {"Prefer": "wait=25"}
        answer = httpx.post(f"{url}/files/upload", json=request, headers=headers, timeout=60)
        return answer.json() if answer.status_code == 201 else {"error": answer.json()}
    return sockets[number % len(sockets)].request(file)


def race(stack, token, body):
    flush = redis.Redis.from_url(stack.settings["HOIST_REDIS_URL"]).flushall
    sockets = [RawSocket(stack.urls[number % 2], token) for number in range(8)]
    try:
        with ThreadPoolExecutor(8) as pool:
            # One thread a socket: a raw socket is not made for two.
            def share(first):
                numbers = range(first, ASKED, 8)
                return [ask(stack, token, sockets, n, body, flush) for n in numbers]

            answers = [answer for part in pool.map(share, range(8)) for answer in part]
    finally:
        for socket in sockets:
            socket.socket.close()
    granted = [answer for answer in answers if "upload" in answer]
    return granted, [answer["error"]["code"] for answer in answers if "error" in answer]


def me(stack, token):
    return httpx.get(f"{stack.url}/me", headers=rest(token)).raise_for_status().json()


@pytest.mark.parametrize("limit", ["storageQuota", "concurrentUploads"])
def test_of_200_parallel_requests_exactly_what_fits_is_accepted_and_the_books_balance(
    stack, tiers, limit
):
    body = b"x" * 64 * KIB
    value = FITS * len(body) if limit == "storageQuota" else FITS
    tiers(basic={"concurrentUploads": 1000} | {limit: value})
    token = stack.new_user("ada")
    granted, refusals = race(stack, token, body)
    code = "quota_exceeded" if limit == "storageQuota" else "too_many_uploads"
    assert len(granted) == FITS
    assert refusals == [code] * (ASKED - FITS)
    assert me(stack, token)["use"]["reservedBytes"] == FITS * len(body)
    with RawSocket(stack.url, token) as socket:
        for answer in granted:
            assert put(answer["upload"], body).status_code == 200
            socket.hear("upload.stored", file_id=answer["fileId"])
    use = me(stack, token)["use"]
    assert (use["storedBytes"], use["reservedBytes"]) == (FITS * len(body), 0)
    listed = httpx.get(f"{stack.url}/files?limit=200", headers=rest(token)).json()["files"]
    assert sum(file["size"] for file in listed) == use["storedBytes"]


def test_refusals_say_what_when_and_what_premium_has_in_both_transports(stack, tiers):
    tiers(basic={"requestsPerMinute": 1})
    token = stack.new_user("ada")
    file = describe("a.txt", b"one")
    with RawSocket(stack.url, token) as socket:
        assert socket.request(file)["event"] == "upload.ready"
        refused = socket.request(file)
    assert refused["event"] == "upload.rejected"
    request = {"messageId": new_message_id(), "file": file}
    answer = httpx.post(
        f"{stack.url}/files/upload", json=request, headers=rest(token) | {"Prefer": "wait=25"}
    )
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    for error in (refused["error"], answer.json()):
        assert (error["code"], error["limit"], error["inUse"]) == ("rate_limited", 1, 1)
        assert error["premiumLimit"] > error["limit"]
        assert error["clearsAt"]
        assert error["detail"]


def test_a_flood_is_stopped_at_the_edge_and_the_socket_lives(stack, tiers):
    tiers(basic={"requestsPerSecond": 5})
    token = stack.new_user("ada")
    with RawSocket(stack.url, token) as socket:
        for _ in range(100):
            socket.say({"action": "ping"})
        error = socket.hear("error")["error"]
        assert (error["code"], error["status"], error["limit"]) == ("slow_down", 429, 5)
        codes = {httpx.get(f"{stack.url}/me", headers=rest(token)).status_code for _ in range(40)}
        assert 429 in codes
        with RawSocket(stack.url, stack.new_user("ada")) as other:
            other.say({"action": "ping"})
            other.hear("pong")


def test_a_tier_file_that_makes_no_sense_changes_nothing(stack, tiers):
    tiers.path.write_text("{ not json")
    token = stack.new_user("ada")
    with RawSocket(stack.url, token) as socket:
        assert socket.request(describe("a.txt", b"one"))["event"] == "upload.ready"
