"""Rows out of an arena leave as the datagrams that they are."""

import socket

import numpy as np
import pytest

from sptools.relay.publish import Publisher
from sptools.transports import udp


@pytest.fixture
def sink():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.setblocking(False)
        yield s


def got(sink):
    found = []
    try:
        while True:
            found.append(sink.recv(65536))
    except BlockingIOError:
        return found


@pytest.fixture
def publisher(sink):
    publisher = Publisher(udp.write(f"//127.0.0.1:{sink.getsockname()[1]}"))
    yield publisher
    publisher.close()


def rows(slots, n, size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (slots, n, size), np.uint8)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 100, 64), (1, 130, 1), (1, 65, 700), (3, 7, 1400), (1, 8, 8900), (1, 2, 65507)])
def test_together(sink, publisher, shape):
    data = rows(*shape)
    for at in range(0, shape[1], 50):  # what the sink's buffer holds
        part = data[:, at : at + 50]
        publisher.rows(part)
        assert got(sink) == [row.tobytes() for slot in part for row in slot]
    assert publisher.sent == shape[0] * shape[1] and not publisher.notes


def test_apart_and_of_changing_numbers(sink, publisher):
    """Rows with a space between them, of which there are sometimes fewer."""
    arena = rows(1, 90, 200)
    for n in (90, 3, 65, 64, 1, 70, 90):
        part = arena[:, :n, :150]
        publisher.rows(part)
        assert got(sink) == [row.tobytes() for row in part[0]]


def test_more_than_a_call_takes(publisher, sink):
    publisher._trains = False
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    publisher.rows(rows(1, 2500, 1))
    assert publisher.sent == 2500
    assert len(got(sink)) > 1000


def test_one(sink, publisher):
    publisher.one(b"alone")
    assert got(sink) == [b"alone"]


def test_nobody_listens():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    publisher = Publisher(udp.write(f"//127.0.0.1:{port}"))
    for _ in range(5):
        publisher.rows(rows(1, 10, 100))
        publisher.one(b"x")
    assert publisher.sent == 55 and publisher.refused
    publisher.close()


def test_too_long_is_counted(publisher):
    publisher.one(bytes(65508))
    publisher.rows(rows(1, 2, 65510))
    assert publisher.unsent == 3 and publisher.sent == 0
