"""What one upload and one list cost, measured from our own code.

Both kinds are printed by `python -m bench.costs`. "counted" figures are kept true by
tests/integration/test_capacity.py; "clocked" ones, CPU time and log lines, are of one machine with
two cores, and differ from machine to machine.
"""

from __future__ import annotations

from bench.capacity.figures import Figure

WCU_PER_UPLOAD = Figure(29, "WCU", "counted, a batch of many users: all in transactions")
WCU_PER_UPLOAD_ALONE = Figure(23, "WCU", "counted, one upload at a time")
WCU_DUE_PER_UPLOAD = Figure(4, "WCU", "counted, the part of it for the index `due`")
WCU_HOT_USER = Figure(20.24, "WCU", "counted, 25 uploads of one user at once: its partition")
RCU_PER_UPLOAD = Figure(6, "RCU", "counted, consistent reads of rows below 4 KB")
RCU_PER_PAGE = Figure(11, "RCU", "counted, 50 files that the cache does not have")
DYNAMODB_BYTES_PER_FILE = Figure(4570, "bytes", "counted, with indexes and 100 bytes an entry")
COLLECTION_BYTES_PER_FILE = Figure(4392, "bytes", "counted, table and local indexes")
RECORDS_PER_UPLOAD = Figure(3, "records", "counted: one on a lane, two on hoist.metadata")
LANE_BYTES_PER_UPLOAD = Figure(516, "bytes", "counted: key, value, headers")
METADATA_BYTES_PER_UPLOAD = Figure(1140, "bytes", "counted: key, value, headers of both")
REDIS_OPS_PER_UPLOAD = Figure(32.24, "commands", "counted, those in scripts too")
REDIS_OPS_PER_HIT = Figure(2, "commands", "counted")
REDIS_OPS_PER_MISS = Figure(9, "commands", "counted, those in scripts too")
REDIS_BYTES_PER_UPLOAD = Figure(2955, "bytes", "counted: the answer, the user's events")
REDIS_BYTES_PER_USER = Figure(673, "bytes", "counted, of a user who uploaded within a day")
REDIS_BYTES_PER_SOCKET = Figure(800, "bytes", "counted")
PUSHES_PER_UPLOAD = Figure(3, "messages", "counted: ready, progress, stored")
FRAMES_PER_UPLOAD = Figure(2, "messages", "the protocol: the request, and accepted")
S3_PUTS_PER_UPLOAD = Figure(1, "requests", "the client's own; our steps make none (counted)")
GATEWAY_CPU_MS = Figure(5.0, "ms per upload", "clocked: a frame, three events, a socket")
GRANT_CPU_MS = Figure(4.0, "ms per record", "clocked, with its polling of Kafka")
METADATA_CPU_MS = Figure(2.2, "ms per record", "clocked, with its polling of Kafka")
BUCKET_CPU_MS = Figure(2.0, "ms per record", "clocked, with its polling of SQS")
LOG_BYTES_PER_UPLOAD = Figure(1635, "bytes", "clocked: JSON lines of gateways and workers")
