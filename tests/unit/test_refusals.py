"""docs/refusals.md shows every refusal, over REST and in frames, with the members it really has."""

import json
import re
from pathlib import Path

import pytest
from flask import Flask

from hoist.domain import errors
from hoist.domain.errors import Use
from hoist.gateway import problems
from hoist.gateway.actions import error_frame
from hoist.pipeline.events import error_view
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
    errors.SlowDown(200),
    errors.PartsMissing([12, 13]),
    errors.NotInParts("stored"),
    errors.InvalidRequest("no relative path", "file.folder"),
    errors.NotFound("no such upload"),
    errors.TokenExpired("log in again"),
    errors.Unavailable("the log does not answer; try again shortly"),
]
# Decided behind the queue: these come as upload.rejected, the others as an error frame.
LATE = [
    "FileTooLarge",
    "RateLimited",
    "TooManyUploads",
    "QuotaExceeded",
    "MessageIdConflict",
    "UploadCancelled",
]


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
    problem, frame = shown(error.code)
    assert problem.keys() - {"fileId"} == problem_of(error).keys()
    assert (problem["code"], problem["status"]) == (error.code, error.status)
    assert frame["error"].keys() == error_view(error).keys()
    is_late = type(error).__name__ in LATE
    assert frame["event"] == ("upload.rejected" if is_late else "error")
    if not is_late:
        assert frame.keys() - {"messageId"} == error_frame(error, None, TRACE).keys()
    assert ("fileId" in problem) is is_late


def test_every_section_is_about_a_refusal():
    assert sorted(re.findall(r"^## `(\w+)`$", PAGE, flags=re.M)) == sorted(
        error.code for error in REFUSALS
    )
