"""Batches off a socket: nothing is lost, cut or reordered, in whatever layout it arrives."""

import random
import socket

import pytest

from sptools.relay import kernel
from sptools.relay.receive import SLOT, Arena, Receiver


@pytest.fixture
def pair():
    """(connected sender, receiver's socket)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hears, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sends:
        hears.setsockopt(socket.SOL_SOCKET, 33, 64 << 20) if _root() else None
        hears.bind(("127.0.0.1", 0))
        sends.connect(hears.getsockname())
        yield sends, hears


def _root():
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, 33, 1 << 20)
        return True
    except PermissionError:
        return False


def take(receiver):
    """All that is there, as bytes."""
    found = []
    while (batch := receiver.batch()) is not None:
        for piece in batch.pieces:
            found += piece if isinstance(piece, list) else [row.tobytes() for slot in piece for row in slot]
    return found


def datagram(rng, size):
    return rng.randbytes(size)


def train(sends, size, data):
    """Several datagrams of one size in one kernel buffer."""
    sends.setsockopt(kernel.SOL_UDP, kernel.UDP_SEGMENT, size)
    sends.send(data)
    sends.setsockopt(kernel.SOL_UDP, kernel.UDP_SEGMENT, 0)


@pytest.mark.parametrize("size", [1, 64, 256, 1400, 8900, 60000, 65507])
def test_equal_datagrams(pair, size):
    sends, hears = pair
    receiver, rng = Receiver(hears, Arena()), random.Random(size)
    for _ in range(3):
        sent = [datagram(rng, size) for _ in range(40 if size < 9000 else 3)]
        for each in sent:
            sends.send(each)
        assert take(receiver) == sent


def test_equal_ones_become_arrays(pair):
    sends, hears = pair
    receiver = Receiver(hears, Arena())
    for _ in range(2):
        for i in range(100):
            sends.send(bytes([i]) * 200)
        pieces = []
        while (batch := receiver.batch()) is not None:
            pieces += batch.pieces
    assert [piece.shape for piece in pieces] == [(1, 100, 200)]


def test_mixed_sizes_and_a_change(pair):
    sends, hears = pair
    receiver, rng = Receiver(hears, Arena()), random.Random(1)
    for sizes in ([100] * 30, [100] * 20 + [3000] + [100] * 20, [700] * 40, [50, 5000] * 15, [64] * 50, [20000, 1] * 3):
        sent = [datagram(rng, size) for size in sizes]
        for each in sent:
            sends.send(each)
        assert take(receiver) == sent


@pytest.mark.parametrize("seed", range(5))
def test_random_sizes(pair, seed):
    sends, hears = pair
    receiver, rng = Receiver(hears, Arena()), random.Random(seed)
    for _ in range(6):
        sent = [datagram(rng, rng.choice([rng.randrange(1, 1500), 300])) for _ in range(60)]
        for each in sent:
            sends.send(each)
        assert take(receiver) == sent


@pytest.mark.parametrize("size", [64, 1000, 1400])
def test_trains(pair, size):
    """Whole ones, ones with a shorter end, and plain datagrams between them."""
    sends, hears = pair
    receiver, rng = Receiver(hears, Arena()), random.Random(size)
    for round in range(4):
        sent = []
        for n, rest in ((20, 0), (20, 0), (10, 13), (1, 0), (30, 0), (5, size - 1)):
            data = datagram(rng, n * size + rest)
            train(sends, size, data)
            sent += [data[at : at + size] for at in range(0, len(data), size)]
        if round % 2:
            for _ in range(30):
                sent.append(datagram(rng, size))
                sends.send(sent[-1])
        assert take(receiver) == sent


def test_a_train_that_meets_slots_for_lone_ones(pair):
    sends, hears = pair
    receiver, rng = Receiver(hears, Arena()), random.Random(3)
    for _ in range(50):
        sends.send(bytes(1000))
    take(receiver)
    assert not receiver._layout.trains
    data = datagram(rng, 40 * 1000)
    train(sends, 1000, data)
    train(sends, 1000, data[:1000])
    assert take(receiver) == [*(data[at : at + 1000] for at in range(0, 40000, 1000)), data[:1000]]
    assert receiver._layout.size == SLOT


def test_empty_ones_are_counted(pair):
    sends, hears = pair
    receiver = Receiver(hears, Arena())
    for each in (b"", b"x", b""):
        sends.send(each)
    assert take(receiver) == [b"x"]
    assert receiver.empty == 2


def test_who_may_speak(pair):
    sends, hears = pair
    asked = []

    def allowed(host):
        asked.append(host)
        return host == "127.0.0.1"

    receiver = Receiver(hears, Arena(), allowed)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", 0))
        for i in range(40):
            (sends if i % 3 else other).sendto(bytes([i]) * 50, hears.getsockname())
        assert take(receiver) == [bytes([i]) * 50 for i in range(40) if i % 3]
    assert receiver.refused == 14
    assert set(asked) == {"127.0.0.1", "127.0.0.2"}


def test_two_sockets_share_an_arena(pair):
    sends, hears = pair
    arena = Arena()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
        second.bind(("127.0.0.1", 0))
        one, two = Receiver(hears, arena), Receiver(second, arena)
        for i in range(20):
            sends.send(bytes([i]) * 100)
            sends.sendto(bytes([i]) * 300, second.getsockname())
        assert take(one) == [bytes([i]) * 100 for i in range(20)]
        assert take(two) == [bytes([i]) * 300 for i in range(20)]
