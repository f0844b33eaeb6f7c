"""What the tests of downloads share: a service, clients of it, a target and what lies beside it."""

import random

import pytest

from hoist.client import Client, StaticToken
from hoist.client.fetch import Wanted
from hoist.client.problems import Retry
from tests.unit.fake_service import TOKEN, running_service

AT_ONCE = Retry((0.0, 0.0), sleep=lambda seconds: None)
NEVER = Retry((), sleep=lambda seconds: None)
BODY = random.Random(5).randbytes(300_000)


@pytest.fixture
def service():
    with running_service() as service:
        yield service


@pytest.fixture
def client(service):
    with Client([service.url], StaticToken(TOKEN), retry=AT_ONCE) as client:
        yield client


@pytest.fixture
def hasty(service):
    """A client that gives up at the first break, as if it had been killed there."""
    with Client([service.url], StaticToken(TOKEN), retry=NEVER) as client:
        yield client


@pytest.fixture
def target(tmp_path):
    (tmp_path / "here").mkdir()
    return tmp_path / "here" / "back.bin"


def partial(service, file_id, target):
    mark = Wanted.of(service.files[file_id]).mark
    return target.with_name(f".{target.name}.{mark}.part")


def only(target):
    """The bytes of the target, when nothing else is beside it."""
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    return target.read_bytes()
