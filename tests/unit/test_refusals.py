"""docs/refusals.md shows every refusal, over REST and in frames, with the members it really has."""

import json
import re
from pathlib import Path

import pytest
from flask import Flask

from hoist.domain import errors
from hoist.domain.archives import ArchiveReport
from hoist.domain.decisions import RequestDropped
from hoist.domain.errors import Use
from hoist.gateway import problems
from hoist.gateway.actions import error_frame
from hoist.pipeline.events import archive_view, error_view
from hoist.pipeline.events import event as make_event
from tests.unit.world import TRACE

PAGE = (Path(__file__).parents[2] / "docs" / "refusals.md").read_text()
WHEN = "2026-01-01T00:00:21.000Z"
REFUSALS = [
    errors.FileTooLarge("too large", Use("basic", 10, 20, size=11)),
    errors.RateLimited("too often", Use("basic", 10, 20, 10, None, 21, WHEN)),
    errors.TooManyUploads("too many", Use("basic", 10, 20, 10, None, 21, WHEN)),
    errors.QuotaExceeded("no room", Use("basic", 10, 20, 10, 1, None, WHEN)),
    errors.MessageIdConflict("m-1"),
    errors.UploadCancelled(),
    RequestDropped(),
    errors.SlowDown(200),
    errors.PartsMissing([12, 13]),
    errors.NotInParts("stored"),
    errors.InvalidRequest("no relative path", "file.folder"),
    errors.NotFound("no such upload"),
    errors.TokenExpired("log in again"),
    errors.PreconditionFailed(4),
    errors.PasswordRequired("this link has a password"),
    errors.TooManyTries("too many passwords were tried on this link", 12),
    errors.Unavailable("the metadata store is unavailable"),
    errors.Busy("the log does not answer; try again shortly"),
]
# Told of an archive, whose builder decides.
OF_ARCHIVES = [errors.NothingToArchive(), errors.ArchiveTooLarge("files", 10_000, 10_160)]
# Decided behind the queue: these come as upload.rejected, the others as an error frame.
LATE = [
    "FileTooLarge",
    "RateLimited",
    "TooManyUploads",
    "QuotaExceeded",
    "MessageIdConflict",
    "UploadCancelled",
    "RequestDropped",
]
# Nothing a frame can ask for.
ONLY_REST = ("precondition_failed", "password_required", "too_many_tries")


def shown(code):
    """The JSON blocks of the section of *code*: the problem, and the frame."""
    section = re.search(rf"^## `{code}`$(.*?)(?=^## |\Z)", PAGE, flags=re.M | re.S)
    assert section, f"no section on {code}"
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", section[1], flags=re.S)]


def problem_of(error):
    app = Flask("refusals")
    problems.install(app)

    @app.get("/")
    def refuse():
        raise error

    return app.test_client().get("/").json


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: error.code)
def test_a_refusal_is_shown_as_it_is_over_rest_and_in_a_frame(error):
    problem, *frames = shown(error.code)
    assert problem.keys() - {"fileId"} == problem_of(error).keys()
    assert (problem["code"], problem["status"]) == (error.code, error.status)
    assert (not frames) is (error.code in ONLY_REST)
    if not frames:
        return
    [frame] = frames
    assert frame["error"].keys() == error_view(error).keys()
    is_late = type(error).__name__ in LATE
    assert frame["event"] == ("upload.rejected" if is_late else "error")
    if not is_late:
        assert frame.keys() - {"messageId"} == error_frame(error, None, TRACE).keys()
    assert ("fileId" in problem) is is_late


@pytest.mark.parametrize("error", OF_ARCHIVES, ids=lambda error: error.code)
def test_a_refusal_of_an_archive_is_shown_as_its_event_tells_it(error):
    *at_once, event = shown(error.code)
    for problem in at_once:
        assert problem.keys() == problem_of(error).keys()
        assert (problem["code"], problem["status"]) == (error.code, error.status)
    failed = ArchiveReport(state="failed", error=error_view(error))
    archive = archive_view("x", 0, failed)
    assert event["archive"].keys() == archive.keys()
    assert event["archive"]["error"] == archive["error"]
    told = make_event("archive.failed", "ada", at_ms=0, trace_id=TRACE, archive=archive)
    assert event.keys() - {"n"} == told.body.keys()
    assert event["event"] == told.body["event"]


def test_every_section_is_about_a_refusal():
    assert sorted(re.findall(r"^## `(\w+)`$", PAGE, flags=re.M)) == sorted(
        error.code for error in [*REFUSALS, *OF_ARCHIVES]
    )
