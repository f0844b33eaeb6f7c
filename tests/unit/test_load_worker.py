"""A worker of the load is told to begin by its master, as early as it likes."""

import subprocess
import sys

# In a process of its own: Locust changes the standard library for all who import it.
TOLD_WHILE_MADE = """
from argparse import Namespace
from locust import events
from locust.env import Environment
from loadtest import run
from loadtest.books import BOOKS

worker = Environment(events=events, parsed_options=Namespace(run="r1"))
assert worker.runner is None
events.test_start.fire(environment=worker)
print(BOOKS.hand_over()["run"])
"""


def test_a_worker_told_to_begin_before_it_is_made_keeps_books_of_that_run():
    told = subprocess.run(
        [sys.executable, "-c", TOLD_WHILE_MADE], check=True, capture_output=True, text=True
    )
    assert told.stdout == "r1\n"
