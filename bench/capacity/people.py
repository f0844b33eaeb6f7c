"""What we assume of people and networks. Nobody measured these: put in your own."""

from __future__ import annotations

from bench.capacity.figures import Figure

GUESS = "assumption"

UPLOADS_PER_USER_DAY = Figure(1, "uploads", GUESS)
PEAK_FACTOR = Figure(5, "x the mean", GUESS)
FILE_BYTES = Figure(5_000_000, "bytes", GUESS)
PREMIUM_SHARE = Figure(0.1, "of uploads", GUESS)
ABANDONED_SHARE = Figure(0.02, "of uploads", GUESS)
ACTIVE_SHARE = Figure(0.2, "of users upload on a day", GUESS)
LISTS_PER_USER_DAY = Figure(4, "pages", GUESS)
LIST_HIT_SHARE = Figure(0.5, "of pages come from the cache", GUESS)
DOWNLOADS_PER_UPLOAD = Figure(1, "downloads", GUESS)
CONNECTED_MINUTES_DAY = Figure(15, "minutes a user", GUESS)
SOCKET_MINUTES = Figure(15, "minutes a socket", GUESS)
PING_SECONDS = Figure(300, "seconds", "src/hoist/client/keeper.py")
BUSY_MAX = Figure(0.5, "of what a part can do, at the peak", GUESS)
DYNAMODB_MS = Figure(8, "ms a call", GUESS + "; same region")
KAFKA_MS = Figure(10, "ms an append", GUESS + "; acks=all over three zones")
REDIS_MS = Figure(0.7, "ms a round trip", GUESS + "; another zone")
