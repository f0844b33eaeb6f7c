"""A file's timeline is bounded: how it began and what came last are kept."""

from hoist.domain.metadata import FileMissing
from hoist.domain.model import FileFacts, FileRecord, Status
from hoist.domain.ports import Received
from hoist.pipeline.change import Edit
from hoist.pipeline.delivery import Item
from hoist.pipeline.journey import Journey
from hoist.pipeline.steps import with_steps
from tests.unit.world import World

STORED = FileRecord("ada", "f", "m", FileFacts("a", 1, "text/plain"), Status.STORED, 1, 2)


def test_of_sixty_changes_fifty_steps_are_kept_the_first_and_the_last_half():
    world = World()
    this_file = world.stores("m-1")
    told = list(world.row(this_file).steps)
    for number in range(60):
        world.log.messages.clear()  # what was applied is not delivered again
        world.change("ada", this_file, Edit(f"{number}.txt"), f"{number + 1:032x}")
        told.append(world.row(this_file).steps[-1])
    assert len({step.trace_id for step in told[-60:]}) == 60
    kept = world.row(this_file).steps
    assert len(kept) == 50
    assert list(kept) == told[:25] + told[-25:]


def test_a_step_from_a_retry_topic_names_the_place_where_it_first_was():
    first = Received("hoist.metadata", 3, 7, b"ada", b"", ())
    journey = Journey.of(first).after(ValueError("x"), 1, 5)
    again = Received("retry", 0, 1, b"ada", b"", tuple(journey.headers(first)))
    message = FileMissing(user_id="ada", file_id="f")
    [step] = with_steps(STORED, Item(message, "t", again), "w").steps
    assert (step.topic, step.partition, step.offset) == ("hoist.metadata", 3, 7)
