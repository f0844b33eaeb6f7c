"""Every refusal and failure over REST is one shape: an RFC 9457 problem."""

import json
import re

import pytest
from flask import Flask, request

from hoist.domain import errors
from hoist.domain.errors import HoistError
from hoist.gateway import management, problems

SECRET = "password=hunter2 at 10.0.0.7"
MEMBERS = {"type", "title", "status", "detail", "code", "retriable", "traceId"}
MADE = {
    errors.MessageIdConflict: lambda: errors.MessageIdConflict("m-1"),
    errors.UploadCancelled: errors.UploadCancelled,
    errors.NotInParts: lambda: errors.NotInParts("stored"),
    errors.PartsMissing: lambda: errors.PartsMissing([1, 2]),
    errors.NothingToArchive: errors.NothingToArchive,
    errors.ArchiveTooLarge: lambda: errors.ArchiveTooLarge("files", 10, 11),
    errors.SlowDown: lambda: errors.SlowDown(5),
    errors.PreconditionFailed: lambda: errors.PreconditionFailed(3),
    errors.TooManyTries: lambda: errors.TooManyTries("too many", 3),
    **{
        kind: lambda kind=kind: kind("too much", errors.Use("basic", 10, 20, in_use=10))
        for kind in [errors.OverLimit, *errors.OverLimit.__subclasses__()]
    },
}


def kinds(base=HoistError):
    return [base, *(found for child in base.__subclasses__() for found in kinds(child))]


def ours():
    modules = {errors.__name__, management.__name__}
    return sorted((k for k in kinds() if k.__module__ in modules), key=lambda k: k.__name__)


@pytest.fixture
def app():
    app = Flask("problems")
    app.config["MAX_CONTENT_LENGTH"] = 10
    problems.install(app)
    return app


@pytest.fixture
def answer_to(app):
    """The answer to a request whose route raises this error."""

    def ask(error):
        def fail():
            raise error

        app.add_url_rule("/fail", view_func=fail)
        return app.test_client().get("/fail")

    return ask


@pytest.mark.parametrize("kind", ours(), ids=lambda kind: kind.__name__)
def test_every_error_of_ours_is_a_problem_with_its_code_status_and_advice(answer_to, kind):
    error = MADE.get(kind, lambda: kind("because"))()
    answer = answer_to(error)

    assert answer.status_code == answer.json["status"] == kind.status
    assert answer.content_type == "application/problem+json"
    assert answer.json.keys() >= MEMBERS
    assert answer.json["code"] == kind.code
    assert answer.json["retriable"] is kind.retriable
    assert answer.json["detail"] == str(error)
    assert answer.json["type"] == f"/docs#{kind.code}"
    assert answer.json.items() >= error.details().items()


def test_codes_are_stable_names_and_each_belongs_to_one_error():
    codes = [kind.code for kind in ours()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+|[A-Z]\w+Exception", code) for code in codes)


def test_what_may_be_tried_again_says_when(answer_to):
    answer = answer_to(errors.Unavailable("storage is unavailable", retry_after_seconds=7))
    assert (answer.headers["Retry-After"], answer.json["retryAfterSeconds"]) == ("7", 7)


def test_what_may_not_be_tried_again_names_no_time(answer_to):
    assert "Retry-After" not in answer_to(errors.Forbidden("no")).headers


@pytest.mark.parametrize("kind", [errors.Unauthorized, errors.TokenExpired])
def test_a_refused_token_is_answered_as_api_gateway_does(answer_to, kind):
    challenge = answer_to(kind("log in again")).headers["WWW-Authenticate"]
    assert challenge == 'Bearer scope="" error="invalid_token" error_description="log in again"'


def test_an_unknown_path_is_a_problem(app):
    answer = app.test_client().get("/nowhere")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert answer.content_type == "application/problem+json"
    assert answer.json.keys() >= MEMBERS


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(app):
    app.add_url_rule("/read", view_func=lambda: "")
    answer = app.test_client().delete("/read")
    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
    assert answer.json["retriable"] is False
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize(("size", "status"), [(10, 200), (11, 413)])
def test_a_body_over_the_limit_is_a_problem(app, size, status):
    app.add_url_rule("/write", view_func=lambda: str(len(request.get_data())), methods=["POST"])
    answer = app.test_client().post("/write", data=b"x" * size)
    assert answer.status_code == status
    if status == 413:
        assert answer.json["code"] == "body_too_large"
        assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    "error", [RuntimeError(SECRET), KeyError(SECRET), UnicodeError(SECRET), AssertionError(SECRET)]
)
def test_an_unexpected_failure_says_nothing_about_its_cause(answer_to, caplog, error):
    answer = answer_to(error)

    assert (answer.status_code, answer.json["code"]) == (500, "internal")
    said = json.dumps(answer.json) + str(answer.headers)
    assert "hunter2" not in said
    assert type(error).__name__ not in said
    assert "hunter2" in caplog.text  # it is for us, in the log
