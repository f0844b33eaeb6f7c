"""A client of the load that is refused for ever, or granted nothing, has failed and says so."""

import hashlib
from contextlib import contextmanager

import pytest

from loadtest.books import Books
from loadtest.ledger import Outcome
from loadtest.line import Cut
from loadtest.people import User
from loadtest.uploads import Failed, Uploads

ADA = User("ada", "token", "basic")
BUSY = {"event": "error", "error": {"code": "busy", "status": 503, "retryAfterSeconds": 0.02}}
WAY = {"method": "PUT", "url": "http://storage/f-1", "headers": {}}
READY = {"event": "upload.ready", "fileId": "f-1", "state": "ready", "upload": WAY}
STORED = {"event": "upload.stored", "fileId": "f-1", "state": "stored"}


class Line:
    """Answers each frame that asks for an upload with the next of *answers*, the last for ever."""

    def __init__(self, *answers):
        self.answers, self.events = list(answers), []
        self.n, self.is_open = 0, True

    def send(self, frame):
        if frame["action"] == "upload":
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.events.append(answer | {"messageId": frame["messageId"]})

    def receive(self, seconds):
        return self.events.pop(0) if self.events else None

    def open(self):
        raise Cut("no gateway")


class Storage:
    def __init__(self, line):
        self.line, self.bodies = line, []

    @contextmanager
    def request(self, method, url, *, data, **_):
        self.bodies.append(data)
        yield Answer()


class Answer:
    status_code, text = 200, ""

    def success(self):
        pass


class Person:
    def __init__(self, *answers):
        self.told, self.line, self.books = [], Line(*answers), Books()
        self.storage = Storage(self.line)
        self.uploads = Uploads(ADA, self.line, self.storage, self.books, self.fire, 2.0, 0.1)

    def fire(self, name, seconds, length=0, error=None):
        self.told.append((name, error))

    def upload(self):
        self.uploads.upload(8)
        [request] = self.books.ledger.requests.values()
        return request


def test_who_is_refused_for_ever_fails_once_it_was_told_to_wait_for_long_enough():
    person = Person(BUSY)
    request = person.upload()
    assert person.told[-1] == ("request to URL", "busy for more than 0 s")
    assert {name for name, _ in person.told} == {"told to wait", "request to URL"}
    assert 0.04 <= request.waited_seconds <= 0.1
    assert request.seconds >= request.waited_seconds


def test_who_is_told_to_wait_for_longer_than_that_does_not_even_begin_to():
    error = BUSY["error"] | {"retryAfterSeconds": 3600}
    person = Person(BUSY | {"error": error})
    assert person.upload().waited_seconds == 0
    assert [name for name, _ in person.told] == ["request to URL"]


@pytest.mark.parametrize(
    "grant",
    [
        {name: value for name, value in READY.items() if name != "upload"},
        READY | {"upload": {}},
        READY | {"upload": {"method": "PUT", "headers": {}}},
        {name: value for name, value in READY.items() if name != "upload"} | {"parts": {"size": 5}},
    ],
    ids=["nothing", "empty", "no URL", "parts of a small file"],
)
def test_a_grant_without_a_url_is_a_failure(grant):
    person = Person(grant)
    person.upload()
    name, error = person.told[-1]
    assert name == "request to URL"
    assert error
    assert not person.storage.bodies


def test_what_is_told_to_be_stored_already_must_be_what_would_have_been_sent():
    person = Person(STORED)
    request = person.upload()
    assert person.told == [("request to URL", None), ("end to end", None)]
    assert len(request.md5) == 32
    assert request.sent is None


def test_a_request_knows_the_md5_of_what_was_sent():
    person = Person(READY, STORED)
    request = person.books.ledger.open("ada", "m-1", 4)
    person.uploads.put(request, WAY, b"four")
    assert request.md5 == hashlib.md5(b"four").hexdigest()
    assert request.sent is Outcome.OK


def test_a_socket_that_does_not_come_back_is_a_failure():
    person = Person(BUSY)
    person.uploads.come_back()
    assert person.told == [("reconnect", "no gateway")]


def test_any_other_refusal_is_a_failure():
    person = Person(BUSY | {"error": {"code": "unavailable", "status": 503}})
    with pytest.raises(Failed):
        person.uploads.ask(person.books.ledger.open("ada", "m-1", 1))
    assert person.told == [("request to URL", "refused: unavailable")]
