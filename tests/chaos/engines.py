"""Scenarios in which what we depend on is slow, wrong, or gone."""

from __future__ import annotations

import time

import redis as redis_library

from tests.chaos.case import Case
from tests.chaos.course import scenario

POLICY = ("slow_down", "quota_exceeded")


@scenario("broker", "R3", "the broker freezes, is cut off, and dies")
def broker(case: Case) -> None:
    lab = case.lab
    restarts = lab.restarts()
    with case.load(40):
        for _ in range(lab.size(1, 10)):
            with lab.stopped("kafka"):
                time.sleep(lab.size(9, 30))
            time.sleep(2)
        with lab.faults.on("kafka", partition=True):
            time.sleep(lab.size(3, 20))
        for _ in range(lab.size(1, 10)):
            lab.kill_and_wait("kafka")
            time.sleep(3)
    if silent := case.ledger.refusals["silence"]:
        case.complain("I8", "gateways", f"{silent} callers heard nothing within 10 s")
    for name, count in lab.restarts().items():
        if name != "kafka" and count > restarts[name]:
            case.complain("I8", name, "was started again because the broker was away")


@scenario("cache", "R4", "Redis forgets everything, is slow, full, frozen, and dies")
def cache(case: Case) -> None:
    lab = case.lab
    client = redis_library.Redis.from_url(lab.direct["HOIST_REDIS_URL"])
    with case.load(40):
        for _ in range(lab.size(4, 60)):
            client.flushall()
            time.sleep(1)
        with lab.faults.on("redis", latency_ms=2000):
            time.sleep(lab.size(3, 20))
        client.config_set("maxmemory", "1mb")
        time.sleep(lab.size(3, 20))
        client.config_set("maxmemory", "0")
        with lab.stopped("redis"):
            time.sleep(lab.size(3, 30))
        for _ in range(lab.size(1, 10)):
            lab.kill_and_wait("redis")
            time.sleep(1)
    client.close()
    if failed := {code: n for code, n in case.ledger.refusals.items() if code not in POLICY}:
        case.complain("I8", "gateways", f"answers failed while only Redis did: {failed}")


@scenario("storage", "R5", "S3 freezes, answers 503, resets uploads midway, loses its events")
def storage(case: Case) -> None:
    lab = case.lab
    with case.load(30):
        for _ in range(lab.size(1, 5)):
            with lab.stopped("localstack"):
                time.sleep(lab.size(5, 30))
            time.sleep(2)
        with lab.faults.on("s3", errors=0.2, seed=case.number):
            time.sleep(lab.size(5, 30))
        for _ in range(lab.size(4, 100)):
            with lab.faults.on("s3", reset_after_bytes=1500, toxicity=0.5, seed=case.number):
                time.sleep(0.5)
        with lab.no_bucket_events():
            time.sleep(lab.size(4, 20))


@scenario("store", "R6", "the database answers errors, is slow, then away for all")
def store(case: Case) -> None:
    lab = case.lab
    retried = lab.retried()
    with case.load(30), lab.faults.on("store", down=True):
        time.sleep(lab.size(6, 60))
    case.settle()
    burnt = lab.retried() - retried
    case.facts["attempts burnt by the outage"] = burnt
    if burnt:
        case.complain("I8", "retries", f"{burnt} attempts counted while the database was away")
    with case.load(30):
        with lab.faults.on("store", latency_ms=2000):
            time.sleep(lab.size(4, 20))
        with lab.faults.on("store", errors=0.2, seed=case.number):
            time.sleep(lab.size(5, 30))


@scenario("network", "matrix", "two parts cannot reach each other for a while, then can")
def network(case: Case) -> None:
    with case.load(30):
        for target in ("gateway-a", "redis", "store", "kafka", "sqs"):
            with case.lab.faults.on(target, partition=True):
                time.sleep(case.lab.size(2, 20))
            time.sleep(0.5)
