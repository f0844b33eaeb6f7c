"""Frames are cut and read as the protocol's own parser would."""

import random

import pytest
from websockets.frames import Frame, Opcode

from hoist.gateway.whole_frames import cut, text_frame, whole_text

SIZE_MAX = 32 * 1024
SIZES = [0, 1, 3, 4, 5, 125, 126, 127, 1000, SIZE_MAX]


def of_client(opcode, data, *, fin=True):
    return Frame(opcode, data, fin).serialize(mask=True)


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_message_is_read_whatever_its_mask(size):
    data = random.Random(size).randbytes(size)
    for _ in range(20):
        assert whole_text(of_client(Opcode.TEXT, data), SIZE_MAX) == data


@pytest.mark.parametrize("size", SIZES)
def test_a_size_may_be_written_longer_than_it_needs(size):
    mask = b"\x01\x02\x03\x04"
    data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(b"x" * size))
    frame = b"\x81\xff" + size.to_bytes(8, "big") + mask + data
    assert whole_text(frame, SIZE_MAX) == b"x" * size


@pytest.mark.parametrize(
    "other",
    [
        of_client(Opcode.BINARY, b"{}"),
        of_client(Opcode.TEXT, b"{}", fin=False),
        of_client(Opcode.CONT, b"{}"),
        of_client(Opcode.PING, b""),
        b"\xc1" + of_client(Opcode.TEXT, b"{}")[1:],
        Frame(Opcode.TEXT, b"{}").serialize(mask=False),
        b"\x81\xff" + (2**62).to_bytes(8, "big"),
        b"\x81\xfe" + (SIZE_MAX + 1).to_bytes(2, "big") + b"mask and the first bytes",
        of_client(Opcode.TEXT, b"x" * (SIZE_MAX + 1)),
    ],
    ids=[
        "binary",
        "a first piece",
        "a piece",
        "a ping",
        "a reserved bit",
        "no mask",
        "huge, and no more",
        "too large, and not all of it",
        "too large",
    ],
)
def test_anything_else_is_not_a_whole_message(other):
    assert whole_text(other, SIZE_MAX) is None


def test_frames_are_cut_wherever_the_bytes_are_torn():
    chance = random.Random(7)
    frames = [
        of_client(chance.choice([Opcode.TEXT, Opcode.CONT]), b"x" * size, fin=chance.random() < 0.5)
        for size in SIZES * 6
    ] + [of_client(Opcode.PING, b"x" * size) for size in (0, 3, 125)]
    chance.shuffle(frames)
    frames.insert(30, Frame(Opcode.TEXT, b"not masked").serialize(mask=False))
    stream, found, rest = b"".join(frames), [], b""
    while stream:
        size = chance.choice([1, 2, 3, 7, 100, 16384])
        more, rest = cut(rest + stream[:size], SIZE_MAX)
        found, stream = found + more, stream[size:]
    assert (found, rest) == (frames, b"")


@pytest.mark.parametrize("size", [SIZE_MAX + 1, 2**16, 2**62])
def test_one_that_is_too_large_is_not_waited_for(size):
    head = b"\x81\xff" + size.to_bytes(8, "big")
    assert cut(head[:9], SIZE_MAX) == ([], head[:9])
    assert cut(head + b"mask", SIZE_MAX) == ([head + b"mask"], b"")


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_message_of_ours_is_what_the_protocol_would_send(size):
    text = "\u00fc" * (size // 2) + "x" * (size % 2)
    assert text_frame(text.encode()) == Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
