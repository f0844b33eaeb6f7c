"""Greenlets or threads for a gateway: the bare echo under both of gunicorn's workers.

Messages as in ``messages``; then how much memory a thousand sockets take that say nothing.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from bench.floor import Floor, running
from bench.pairs import Side, interleaved, measure, told
from bench.row import Row
from bench.sockets import MESSAGES, SOCKETS, UNDER_WAY, pings
from bench.target import Target
from bench.together import each
from bench.wire import Wire

IDLE, AT_ONCE = 1_000, 8
THREADS = ("-k", "gthread", "--threads", str(IDLE + SOCKETS + AT_ONCE))


def run(target: Target) -> list[Row]:
    with (
        running(target.environment, "echo") as greenlets,
        running(target.environment, "echo", THREADS) as threads,
    ):
        return [_messages(target, threads, greenlets), _memory(target, threads, greenlets)]


def _messages(target: Target, threads: Floor, greenlets: Floor) -> Row:
    rounds = target.count(MESSAGES) // UNDER_WAY + 1
    users = target.users(SOCKETS, uploads=False)

    def side(bare: Floor) -> Side:
        with ExitStack() as stack:
            wires = [stack.enter_context(Wire(bare.url + "/ws", user.token)) for user in users]
            works = [partial(pings, wire, rounds) for wire in wires]
            return measure(target, SOCKETS * rounds * UNDER_WAY, lambda: each(works), bare)

    pairs = interleaved(target, lambda: side(threads), lambda: side(greenlets))
    ratios = [one.per_second / other.per_second for one, other in pairs]
    return Row("models", "messages, a thread each / greenlets", ratios, detail=told(pairs))


def _memory(target: Target, threads: Floor, greenlets: Floor) -> Row:
    count, token = target.count(IDLE, 8), target.user(uploads=False).token

    def kb_each(bare: Floor) -> float:
        worker = next(iter(bare.process.children()))
        before = worker.memory_info().rss

        def some(first: int) -> list[Wire]:
            return [
                stack.enter_context(Wire(bare.url + "/ws", token))
                for _ in range(first, count, AT_ONCE)
            ]

        with ExitStack() as stack:
            each([partial(some, first) for first in range(min(AT_ONCE, count))])
            return (worker.memory_info().rss - before) / count / 1024

    thread, greenlet = kb_each(threads), kb_each(greenlets)
    detail = f"greenlets {greenlet:.0f} KB"
    return Row(
        "models-memory",
        f"of each of {count} sockets, a thread each",
        [thread],
        unit=" KB",
        detail=detail,
    )
