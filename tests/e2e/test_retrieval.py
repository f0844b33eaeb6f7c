"""Lists, changes, links and history through the public interface, on both gateways."""

import os
import secrets
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.raw_client import PATIENCE_SECONDS, RawSocket, describe, new_message_id, put, rest

BODY = b"twelve bytes"
EVIL = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
NAMES = [
    "🦐" * 63 + "abc",  # 255 bytes
    'a "quoted" name; filename=evil.exe',
    "line\r\nX-Evil: yes",
    "../../../etc/passwd",
    "..\\..\\boot.ini",
    "%2e%2e%2fpasswd",
    "räksmörgås.txt",
    "\u202etxt.exe",
    " leading and trailing ",
    "-rf",
    ".hidden",
    "CON",
]


class Person:
    """Somebody nobody has seen, over plain HTTP."""

    def __init__(self, stack, gateway=0):
        self.token = stack.new_user()
        self.urls = stack.urls
        self.http = httpx.Client(base_url=stack.urls[gateway], headers=rest(self.token), timeout=60)

    def upload(self, name="a.txt", body=BODY, **more):
        request = {"messageId": new_message_id(), "file": describe(name, body, **more)}
        answer = self.http.post("/files/upload", json=request, headers={"Prefer": "wait=20"})
        assert answer.status_code == 201, answer.text
        assert put(answer.json()["upload"], body).status_code == 200
        file_id = answer.json()["fileId"]
        # The list is told of a row a moment after the row is written.
        self.until(lambda: self.stored(file_id) and file_id in self.newest())
        return self.stored(file_id)

    def newest(self):
        """The ids of the first page."""
        return [file["fileId"] for file in self.http.get("/files").json()["files"]]

    def stored(self, file_id):
        answer = self.http.get(f"/files/{file_id}")
        return answer.json() if answer.json().get("status") == "stored" else None

    def until(self, look):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := look()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return found

    def names(self, **query):
        answer = self.http.get("/files", params=query)
        assert answer.status_code == 200, answer.text
        return [file["name"] for file in answer.json()["files"]]


@pytest.fixture
def ada(stack):
    person = Person(stack)
    with person.http:
        yield person


@pytest.fixture
def eve(stack):
    person = Person(stack, gateway=1)
    with person.http:
        yield person


def test_filters_orders_and_pages(ada):
    photos = {"folder": "photos/2026", "contentType": "image/png"}
    ada.upload("Beach.png", b"1" * 30, **photos)
    ada.upload("alps.png", b"1" * 20, **photos | {"folder": "photos"})
    ada.upload("notes.txt", b"1" * 10, visibility="public")
    assert ada.names() == ["notes.txt", "alps.png", "Beach.png"]
    assert ada.names(sort="name") == ["alps.png", "Beach.png", "notes.txt"]
    assert ada.names(sort="-size") == ["Beach.png", "alps.png", "notes.txt"]
    assert ada.names(type="image/*", name="BEA") == ["Beach.png"]
    assert ada.names(folder="photos/") == ["alps.png", "Beach.png"]
    assert ada.names(folder="photos") == ["alps.png"]
    assert ada.names(sizeMin=11, sizeMax=20) == ["alps.png"]
    assert ada.names(visibility="public", status="stored") == ["notes.txt"]
    assert ada.names(createdTo="2020-01-01T00:00:00Z") == []
    first = ada.http.get("/files", params={"sort": "name", "limit": 2}).json()
    other = httpx.Client(base_url=ada.urls[1], headers=rest(ada.token), timeout=60)
    more = {"sort": "name", "limit": 2, "cursor": first["nextCursor"]}
    with other:
        [last] = other.get("/files", params=more).json()["files"]
        assert last["name"] == "notes.txt"
        wrong = other.get("/files", params=more | {"sort": "-name"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_cursor")


def test_of_two_racing_edits_on_two_gateways_one_wins_and_the_other_is_told(ada):
    file = ada.upload()
    path = f"/files/{file['fileId']}"
    tag = ada.http.get(path).headers["ETag"]

    def rename(number):
        url = ada.urls[number % 2] + path
        headers = rest(ada.token) | {"If-Match": tag}
        return httpx.patch(url, json={"name": f"n-{number}"}, headers=headers, timeout=60)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(rename, range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    [won] = [answer for answer in answers if answer.status_code == 200]
    assert ada.names() == [won.json()["name"]]
    told = next(answer for answer in answers if answer.status_code == 412).json()
    assert (told["code"], f'"{told["revision"]}"') == ("precondition_failed", won.headers["ETag"])


def test_every_change_is_heard_on_the_sockets_and_in_every_list(ada):
    with RawSocket(ada.urls[1], ada.token) as socket:
        file = ada.upload()
        path = f"/files/{file['fileId']}"
        ada.names()
        assert ada.http.patch(path, json={"visibility": "public"}).json()["visibility"] == "public"
        assert socket.hear("file.changed")["file"]["visibility"] == "public"
        trashed = ada.http.delete(path).json()
        assert (trashed["status"], "deletedUntil" in trashed) == ("deleted", True)
        assert socket.hear("file.deleted")["fileId"] == file["fileId"]
        assert (ada.names(), ada.names(status="deleted")) == ([], ["a.txt"])
        assert ada.http.get(path).status_code == ada.http.delete(path).status_code == 404
        assert ada.http.post(f"{path}/restore").json()["status"] == "stored"
        socket.hear("file.restored")
        assert ada.names() == ["a.txt"]
        assert ada.http.delete(path, params={"permanently": "true"}).status_code == 204
        socket.hear("file.purged")
        assert (ada.names(), ada.names(status="deleted")) == ([], [])
        assert ada.http.get("/me").json()["use"]["storedBytes"] == 0


def test_the_trash_is_purged_after_its_time(ada, tiers):
    tiers(basic={"trashSeconds": 1})
    file = ada.upload()
    assert ada.http.delete(f"/files/{file['fileId']}").status_code == 200
    ada.until(lambda: ada.names(status="deleted") == [])
    assert ada.http.post(f"/files/{file['fileId']}/restore").status_code == 404
    assert ada.http.get("/me").json()["use"]["storedBytes"] == 0


def test_a_public_file_needs_no_login_and_stops_when_it_is_private(ada):
    file = ada.upload(visibility="public")
    public = f"{ada.urls[1]}/public/{file['fileId']}"
    assert httpx.get(public, follow_redirects=True, timeout=60).content == BODY
    assert ada.http.patch(f"/files/{file['fileId']}", json={"visibility": "private"}).is_success
    gone = httpx.get(public, timeout=60)
    never = httpx.get(f"{ada.urls[1]}/public/{secrets.token_hex(18)}", timeout=60)
    assert gone.status_code == never.status_code == 404
    assert gone.json() | {"traceId": 0} == never.json() | {"traceId": 0}


def test_a_link_counts_ends_and_can_be_revoked(ada):
    path = f"/files/{ada.upload()['fileId']}"
    twice = ada.http.post(f"{path}/shares", json={"downloadsMax": 2}).json()
    preview = httpx.head(twice["url"], timeout=60)
    assert (preview.status_code, "Location" in preview.headers) == (200, False)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: httpx.get(twice["url"], timeout=60), range(8)))
    assert sorted(answer.status_code for answer in answers) == [302, 302] + [404] * 6
    location = next(a.headers["Location"] for a in answers if a.status_code == 302)
    assert httpx.get(location, timeout=60).content == BODY
    assert "X-Amz-Expires=30" in location
    open_one = ada.http.post(f"{path}/shares").json()
    assert httpx.get(open_one["url"], timeout=60).status_code == 302
    assert ada.http.delete(f"/shares/{open_one['shareId']}").status_code == 204
    used, revoked = (httpx.get(one["url"], timeout=60).json() for one in (twice, open_one))
    assert used | {"traceId": 0} == revoked | {"traceId": 0}
    states = {one["shareId"]: one["state"] for one in ada.http.get("/shares").json()["shares"]}
    assert states == {twice["shareId"]: "used_up", open_one["shareId"]: "revoked"}
    history = ada.until(
        lambda: (told := ada.http.get(f"{path}/downloads").json())["count"] == 3 and told
    )
    assert {one["by"] for one in history["downloads"]} == {"share"}


def test_a_password_is_asked_for_by_a_form_in_a_browser(ada):
    path = f"/files/{ada.upload()['fileId']}"
    link = ada.http.post(f"{path}/shares", json={"password": "<b>sesame"}).json()["url"]
    assert httpx.get(link, timeout=60).json()["code"] == "password_required"
    form = httpx.get(link, headers={"Accept": "text/html,*/*;q=0.8"}, timeout=60)
    assert (form.status_code, form.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert "default-src 'none'" in form.headers["Content-Security-Policy"]
    wrong = httpx.post(link, data={"password": "wrong"}, timeout=60)
    assert (wrong.status_code, "not the link" in wrong.text) == (403, True)
    right = httpx.post(link, data={"password": "<b>sesame"}, follow_redirects=True, timeout=60)
    assert right.content == BODY
    by_json = httpx.post(link, json={"password": "<b>sesame"}, timeout=60)
    assert by_json.status_code == 303


def test_names_come_back_exactly_and_content_never_runs(ada):
    for name in NAMES:
        file = ada.upload(name, EVIL, contentType="image/svg+xml")
        assert ada.http.get(f"/files/{file['fileId']}").json()["name"] == name
        got = httpx.get(file["downloadUrl"], timeout=60)
        assert got.content == EVIL
        assert got.headers["Content-Type"] == "application/octet-stream"
        disposition = got.headers["Content-Disposition"]
        assert disposition.startswith("attachment; ")
        assert "X-Evil" not in got.headers
        assert httpx.QueryParams(f"n={disposition.split(chr(39) * 2)[1]}")["n"] == name
    assert sorted(ada.names(limit=200)) == sorted(NAMES)
    page = ada.upload("page.html", b"<script>alert(1)</script>", contentType="text/html")
    got = httpx.get(page["downloadUrl"], timeout=60)
    assert got.headers["Content-Type"] == "application/octet-stream"


def test_the_timeline_names_every_step_with_its_place_and_worker(ada):
    file = ada.upload()
    ada.http.patch(f"/files/{file['fileId']}", json={"name": "b"})
    steps = ada.http.get(f"/files/{file['fileId']}/timeline").json()["steps"]
    assert [step["step"] for step in steps] == [
        "upload.accepted",
        "file.requested",
        "file.stored",
        "file.changed",
    ]
    workers = [step["worker"].split("/")[0] for step in steps]
    assert workers == ["gateway-a", "upload-basic", "bucket-events", "gateway-a"]
    assert steps[0]["topic"] == "hoist.ingest.basic"
    assert {step["topic"] for step in steps[1:]} == {"hoist.metadata"}
    assert {step["recordedBy"].split("/")[0] for step in steps[1:]} == {"metadata"}
    assert [step["traceId"] for step in steps[:3]] == [file["traceId"]] * 3
    assert sorted(steps, key=lambda step: step["at"]) == steps


def test_nobody_learns_anything_about_the_files_of_another(ada, eve):
    """Every route with another's ids answers as it does for ids that never were."""
    file = ada.upload("secret-name.txt", visibility="private")
    share = ada.http.post(f"/files/{file['fileId']}/shares").json()
    cursor = (ada.upload(), ada.http.get("/files", params={"limit": 1}).json()["nextCursor"])[1]
    made_up = {"file": secrets.token_hex(18), "share": secrets.token_urlsafe(16)}

    def ask(file_id, share_id):
        body = {"name": "mine"}
        paths = [f"/files/{file_id}", f"/uploads/{file_id}", f"/public/{file_id}"]
        paths += [f"/files/{file_id}/{part}" for part in ("content", "timeline", "downloads")]
        told = [eve.http.get(path) for path in paths]
        told += [eve.http.patch(f"/files/{file_id}", json=body)]
        told += [eve.http.delete(f"/files/{file_id}")]
        told += [eve.http.delete(f"/files/{file_id}", params={"permanently": "true"})]
        told += [eve.http.post(f"/files/{file_id}/{part}") for part in ("restore", "shares")]
        told += [eve.http.delete(f"/uploads/{file_id}"), eve.http.delete(f"/shares/{share_id}")]
        told += [eve.http.post(f"/uploads/{file_id}/complete")]
        return [(answer.status_code, answer.json() | {"traceId": 0}) for answer in told]

    foreign = ask(file["fileId"], share["shareId"])
    assert {status for status, _ in foreign} == {404}
    assert foreign == ask(made_up["file"], made_up["share"])
    assert foreign == ask(file["fileId"].upper(), share["shareId"][::-1])
    assert eve.names() == eve.names(name="secret") == []
    assert eve.http.get("/shares", params={"fileId": file["fileId"]}).json() == {"shares": []}
    stolen = eve.http.get("/files", params={"limit": 1, "cursor": cursor})
    assert (stolen.status_code, stolen.json()["code"]) == (400, "invalid_cursor")
    assert ada.stored(file["fileId"])["name"] == "secret-name.txt"


@pytest.mark.parametrize("odd", ["%00", "%00" * 22, "%00" * 36, "x" * 1100, "..%2f..", "A" * 36])
def test_an_id_that_is_none_is_not_found_by_anybody(ada, odd):
    for path in ("public", "s", "files", "uploads"):
        answer = ada.http.get(f"/{path}/{odd}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert ada.http.post(f"/s/{odd}", json={"password": "x"}).status_code == 404
    assert ada.http.patch(f"/files/{odd}", json={"name": "x"}).status_code == 404


@pytest.mark.parametrize("tag", ["", '""', "3", "abc", 'W/"0"', '"0", "1"', '"-1"'])
def test_an_if_match_that_is_no_etag_of_ours_is_refused(ada, tag):
    file = ada.upload()
    headers = {"If-Match": tag}
    answer = ada.http.patch(f"/files/{file['fileId']}", json={"name": "b"}, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (400, "If-Match")


def test_a_repeated_change_is_answered_again_and_made_once(ada):
    path, key = f"/files/{ada.upload()['fileId']}", {"Idempotency-Key": "once"}
    tag = {"If-Match": '"0"'}
    for url in ada.urls:
        headers = rest(ada.token) | key | tag
        answer = httpx.patch(url + path, json={"name": "b"}, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()["revision"]) == (200, 1)


def test_a_lost_cache_changes_nothing_but_time(ada, stack):
    """Redis forgets everything between any two looks."""
    import redis

    client = redis.Redis.from_url(stack.settings["HOIST_REDIS_URL"])
    shown = []
    for number in range(5):
        file = ada.upload(f"n-{number}")
        shown.append(ada.names())
        client.flushall()
        shown.append(ada.names())
        ada.http.patch(f"/files/{file['fileId']}", json={"name": f"m-{number}"})
        shown.append(ada.names())
    client.close()
    for number in range(5):
        before = [f"m-{n}" for n in range(number)][::-1]
        assert shown[3 * number] == shown[3 * number + 1] == [f"n-{number}", *before]
        assert shown[3 * number + 2] == [f"m-{number}", *before]


def test_while_redis_stands_still_answers_are_slower_and_the_same(ada, stack):
    """Stopped, not dead: nothing answers, and nothing refuses."""
    file = ada.upload("before")
    path = f"/files/{file['fileId']}"
    assert ada.names() == ["before"]
    [redis_] = [s for s in stack.stack.status() if s["name"] == "redis"]
    os.kill(redis_["pid"], signal.SIGSTOP)
    try:
        assert ada.names() == ["before"]
        assert ada.http.patch(path, json={"name": "meanwhile"}).status_code == 200
        assert ada.names() == ["meanwhile"]
        link = ada.http.post(f"{path}/shares", json={"downloadsMax": 1}).json()["url"]
        assert [httpx.get(link, timeout=60).status_code for _ in range(2)] == [302, 404]
    finally:
        os.kill(redis_["pid"], signal.SIGCONT)
    # The page from before is still there, of a generation that the writer ends as soon as it can.
    ada.until(lambda: ada.names() == ["meanwhile"])


def test_the_hit_ratio_can_be_watched(ada):
    def lookups(result):
        text = ada.http.get("/metrics").text
        lines = [li for li in text.splitlines() if f'lookups_total{{result="{result}"}}' in li]
        return float(lines[0].split()[-1]) if lines else 0.0

    ada.upload()
    before = lookups("hit"), lookups("miss")
    # More than once: Redis may count as away for a second after the test before.
    ada.until(lambda: ada.names(sort="size") and lookups("hit") > before[0])
    assert lookups("miss") > before[1]
