"""What a socket's line makes of the answers to its looks, also of those that come late."""

import pytest

from hoist.client.lines import ANSWER_SECONDS, LOOK_SECONDS, SocketLine
from hoist.client.problems import HoistProblem, Unreachable

NOT_FOUND = {"event": "error", "error": {"code": "not_found", "detail": "no", "status": 404}}
READY = {"event": "upload.ready", "fileId": "f-1", "parts": {}}
SIGNED = {"event": "upload.parts", "parts": [{"number": 1}]}
SILENCE, LOST = None, Unreachable("the gateway closed the connection")


class Talk:
    """A conversation that hears these, one after another, and then nothing any more."""

    is_cancelled = False

    def __init__(self, *heard):
        self.heard, self.said, self.waited = list(heard), [], 0.0

    def say(self, frame):
        self.said.append(frame["action"])

    def hear(self, seconds):
        event = self.heard.pop(0) if self.heard else SILENCE
        if isinstance(event, Unreachable):
            raise event
        self.waited += 0 if event else seconds
        return event


def line_of(talk):
    return SocketLine(talk, {"messageId": "m-1", "file": {}}, lambda *what: None)


def test_a_look_that_found_nothing_yet_may_say_so_after_the_upload_is_ready():
    talk = Talk(SILENCE, SILENCE, READY, NOT_FOUND, NOT_FOUND, SIGNED)
    line = line_of(talk)
    assert line.ask()["state"] == "ready"
    assert line.sign("f-1", [{"number": 1}]) == SIGNED["parts"]
    assert talk.said == ["upload", "status", "status", "sign"]


def test_a_late_look_does_not_fail_a_complete():
    line = line_of(Talk(SILENCE, READY, NOT_FOUND, {"event": "upload.completing"}))
    line.ask()
    assert line.complete("f-1") is None


@pytest.mark.parametrize(
    "heard",
    [
        (READY, NOT_FOUND),
        (SILENCE, NOT_FOUND, READY, NOT_FOUND),
        (SILENCE, READY, {"event": "upload.status", "upload": {}}, NOT_FOUND),
        (SILENCE, LOST, READY, NOT_FOUND),
    ],
    ids=["no look", "answered before", "answered meanwhile", "lost with its connection"],
)
def test_when_every_look_is_answered_the_upload_is_not_there(heard):
    line = line_of(Talk(*heard))
    if LOST in heard:
        with pytest.raises(Unreachable):
            line.ask()
    line.ask()
    with pytest.raises(HoistProblem) as caught:
        line.sign("f-1", [{"number": 1}])
    assert caught.value.code == "not_found"


def test_who_hears_nothing_looks_only_as_long_as_somebody_waits_for_the_answer():
    talk = Talk()
    with pytest.raises(Unreachable, match="still in the queue"):
        line_of(talk).ask()
    assert talk.waited == ANSWER_SECONDS
    assert talk.said == ["upload", *["status"] * (round(ANSWER_SECONDS / LOOK_SECONDS) - 1)]
