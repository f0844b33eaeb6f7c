"""The poller of the bucket's events: what is received counts, so an outage receives nothing."""

import threading

from hoist.workers import sqs_source


def message(number):
    return {"MessageId": str(number), "ReceiptHandle": f"r-{number}", "Body": "{}", "MD5OfBody": ""}


class Queue:
    """Gives its messages one by one, then ends the poller."""

    def __init__(self, count, stopping):
        self.left = [message(number) for number in range(count)]
        self.stopping, self.received, self.deleted = stopping, 0, []

    def __call__(self, operation, **parameters):
        if operation == "GetQueueUrl":
            return {"QueueUrl": "u"}
        if operation == "GetQueueAttributes":
            return {"Attributes": {"QueueArn": "arn:aws:sqs:eu-west-1:0:q"}}
        if operation == "ReceiveMessage":
            if not self.left:
                self.stopping.set()
                return {}
            self.received += 1
            return {"Messages": [self.left.pop(0)]}
        self.deleted += [entry["ReceiptHandle"] for entry in parameters["Entries"]]
        return {}


class Stopping(threading.Event):
    """Its waits take no time, and are counted."""

    waits = 0

    def wait(self, timeout=None):
        self.waits += 1
        return self.is_set()


def failing(*names):
    def handler(event, context):
        ids = [record["messageId"] for record in event["Records"]]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in ids if one in names]}

    return handler


def test_after_a_failure_nothing_is_received_until_all_answers_again():
    stopping = Stopping()
    queue, answers = Queue(3, stopping), iter([False, False, True])
    received_meanwhile = []

    def is_up():
        received_meanwhile.append(queue.received)
        return next(answers)

    sqs_source.run(queue, "q", failing("1"), stopping, is_up)
    assert received_meanwhile == [2, 2, 2]
    assert queue.deleted == ["r-0", "r-2"]


def test_a_failure_of_one_message_while_all_answers_delays_no_other():
    stopping = Stopping()
    queue = Queue(3, stopping)
    sqs_source.run(queue, "q", failing("0", "1", "2"), stopping, lambda: True)
    assert (queue.received, queue.deleted, stopping.waits) == (3, [], 0)
