"""A run from its start to its verdict, over however many processes make its load.

Workers hand over their part of the books with each report of theirs. When a run ends they are told
to stop their users, and the last report says that nothing is left. Then all is judged.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import gevent
from locust import events, runners
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner, Runner, WorkerRunner

from loadtest import generator, options, report
from loadtest.books import BOOKS
from loadtest.crowd import CROWD
from loadtest.generator import EFFORT
from loadtest.presence import EVERYBODY
from loadtest.reconnect import SOCKETS, Restart, drop_all
from loadtest.server_truth import ServerTruth, show
from loadtest.shapes import CrowdHolds, ThunderingReconnect

logger = logging.getLogger(__name__)
REPORTS_SECONDS = 15.0  # a worker reports every 3
# Beats, one a second, before a worker's users are given to the others: on a full machine they are
# late, and whoever was believed dead goes on.
runners.HEARTBEAT_LIVENESS = 30


class Lead:
    """The process that judges: the only one, or the master of the others."""

    def __init__(self, environment: Environment, runner: Runner) -> None:
        self._environment, self._runner = environment, runner
        self._took_part: set[str] = set()
        self._closed: set[str] = set()
        self._classes: set[str] = set()
        self._began = 0.0
        self._began_ms = 0
        self._restart = Restart()
        self.truth = ServerTruth(lambda: BOOKS.users.values())
        ThunderingReconnect.strike = self._strike

    def start(self, **_: Any) -> None:
        """A failure until it is judged good."""
        self._environment.process_exit_code = 1
        run = secrets.token_hex(4)
        options.of(self._environment).run = run  # travels to the workers with the options
        _start(run)
        self.truth.forget_peaks()
        self._restart = Restart()
        self._closed.clear()
        self._classes.clear()
        self._took_part = set(getattr(self._runner, "clients", ()))
        self._began, self._began_ms = time.monotonic(), round(time.time() * 1000)

    def take(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        """A worker's report."""
        books = data.get("books")
        if books is None or books["run"] != BOOKS.run:
            return
        self._took_part.add(client_id)
        BOOKS.take(books)
        CROWD.told(client_id, data["crowd"])
        SOCKETS.told(client_id, data["sockets"])
        EFFORT.told(client_id, data["cpuSeconds"])
        if books["isClosed"]:
            self._closed.add(client_id)

    def end(self, **_: Any) -> None:
        """Close the books, judge, keep the report, say it."""
        missing = self._close()
        cpu_seconds = EFFORT.report()
        numbers = report.numbers(self._environment.stats)
        run = self._run(missing)
        logger.info("judging %d requests", len(BOOKS.ledger.requests))
        verdict = report.judge(BOOKS, numbers, run).with_more(self.truth.new_dead_letters())
        chosen = options.of(self._environment)
        told = {
            "shape": run.shape,
            "seconds": round(time.monotonic() - self._began, 1),
            "generator": generator.described(chosen, cpu_seconds),
            "requests": report.plain(numbers),
            "servers": self.truth.report(),
            "crowd": {name: CROWD.count(name) for name in ("connected", "done")},
            "sockets": {name: SOCKETS.count(name) for name in ("dropped", "back")},
        }
        path = report.write(Path(chosen.reports), verdict, told)
        for sentence in report.lines(verdict):
            logger.info(sentence)
        logger.info("report: %s", path)
        self._environment.process_exit_code = verdict.exit_code

    def _run(self, missing: Iterable[str]) -> report.Run:
        shape = self._environment.shape_class
        self._note_classes(self._runner.final_user_classes_count)
        complaints = [f"{worker} did not hand over its books" for worker in sorted(missing)]
        complaints += self._of_the_crowd()
        if isinstance(shape, ThunderingReconnect):
            complaints += self._restart.complaints()
        complaints += [
            f"a user broke {one['count']} times: {one['msg']}"
            for one in self._runner.exceptions.values()
        ]
        return report.Run(
            type(shape).__name__ if shape else "",
            frozenset(self._classes),
            complaints,
            self._began_ms,
            options.of(self._environment).settle_seconds,
            crowd=shape.users if isinstance(shape, CrowdHolds) else None,
        )

    def _close(self) -> set[str]:
        """Wait for the last report of each worker; who did not send it."""
        if isinstance(self._runner, MasterRunner):
            self._runner.send_message("close-books", None)
            patience = REPORTS_SECONDS + self._environment.stop_timeout
            deadline = time.monotonic() + patience
            while self._took_part - self._closed and time.monotonic() < deadline:
                gevent.sleep(0.2)
        return self._took_part - self._closed

    def spawned(self, **_: Any) -> None:
        """Who of the crowd is among others need not wait for all."""
        self._note_classes(self._runner.target_user_classes_count)
        if not isinstance(self._environment.shape_class, CrowdHolds):
            CROWD.open()
            self._runner.send_message("crowd-open", None)

    def _note_classes(self, counts: Mapping[str, int]) -> None:
        self._classes |= {name for name, count in counts.items() if count}

    def _of_the_crowd(self) -> list[str]:
        there, done = CROWD.count("connected"), CROWD.count("done")
        shape = self._environment.shape_class
        if not isinstance(shape, CrowdHolds) or there == done == shape.users:
            return []
        return [f"of a crowd of {shape.users}, {there} connected and {done} finished an upload"]

    def _strike(self, runner: Runner) -> None:
        """Every process drops its sockets, and a gateway restarts."""
        # Said first: who is cut by the gateway's own end would be back without a pause.
        jitter_seconds = options.of(self._environment).jitter_seconds
        runner.send_message("drop-sockets", {"jitter": jitter_seconds})
        self._restart.begin()


def _start(run: str) -> None:
    """This process's part of a new run."""
    BOOKS.start(run)
    CROWD.start()
    SOCKETS.start()
    EFFORT.start()


def _drop(environment: Environment, msg: Any, **_: Any) -> None:
    drop_all(EVERYBODY, msg.data["jitter"])


def _open(environment: Environment, msg: Any, **_: Any) -> None:
    CROWD.open()


def _stop(environment: Environment, msg: Any, **_: Any) -> None:
    """The run ends: stop the users of this process, and close its books."""
    assert environment.runner
    environment.runner.stop()


def _lead(environment: Environment, runner: Runner, web_ui: Any) -> None:
    lead = Lead(environment, runner)
    hooks = environment.events
    hooks.test_start.add_listener(lead.start)
    hooks.test_stop.add_listener(lead.end)
    hooks.worker_report.add_listener(lead.take)
    hooks.spawning_complete.add_listener(lead.spawned)
    hooks.quitting.add_listener(lambda **_: runner.quit())
    hooks.quit.add_listener(lambda **_: lead.truth.close())
    if web_ui:
        show(web_ui, lead.truth)
    name = options.of(environment).shape
    if options.of(environment).headless:
        shapes: dict[str, Any] = environment.available_shape_classes or {}
        if name and name not in shapes:
            raise SystemExit(f"no shape {name!r}; there are: {', '.join(shapes)}")
        environment.shape_class = shapes.get(name)
        if environment.shape_class:
            environment.shape_class.runner = runner


def _begin(environment: Environment, **_: Any) -> None:
    """A worker's start, heard from when the file is loaded on.

    Its master may tell it to start while its runner is being made: before ``init``.
    """
    if not isinstance(environment.runner, MasterRunner | LocalRunner):
        _start(options.of(environment).run)


def _work(environment: Environment, runner: WorkerRunner) -> None:
    def close(**_: Any) -> None:
        BOOKS.is_closed = True
        # For so long Locust leaves a worker out of the next run, though all its users have ended;
        # with the next start it is told anew.
        environment.stop_timeout = 0

    def hand_over(client_id: str, data: dict[str, Any], **_: Any) -> None:
        data["books"], data["crowd"] = BOOKS.hand_over(), dict(CROWD.own)
        data["sockets"], data["cpuSeconds"] = dict(SOCKETS.own), EFFORT.own

    environment.events.test_stop.add_listener(close)
    environment.events.report_to_master.add_listener(hand_over)
    runner.register_message("close-books", _stop, concurrent=True)


def _init(environment: Environment, runner: Runner, web_ui: Any = None, **_: Any) -> None:
    if isinstance(runner, WorkerRunner):
        _work(environment, runner)
    else:
        _lead(environment, runner, web_ui)
    if isinstance(runner, WorkerRunner | LocalRunner):
        runner.register_message("drop-sockets", _drop)
        runner.register_message("crowd-open", _open)


events.test_start.add_listener(_begin)
events.init.add_listener(_init)
