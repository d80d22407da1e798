"""The ring, on receivers that do exactly what a test wants."""

import signal
import threading
import time

import numpy as np
import pytest

from sptools import errors
from sptools.drivers import _ring
from sptools.drivers._chunk import Chunk
from sptools.drivers._ring import Ring

RATE = 1e6
COUNT = 20_000  # samples a chunk: 20 ms


class Receiver:
    """Gives `items` as fast as they are read: a Chunk, an exception to raise, None; an Event is waited for first."""

    live, datatype, schema, device, clock, rate = True, "cu8", None, "test:0", "none", RATE

    def __init__(self, *items):
        self.items, self.settings, self.closed = list(items), [], threading.Event()
        self.inside = False

    def read(self):
        self.inside = True
        try:
            while self.items:
                item = self.items.pop(0)
                if isinstance(item, threading.Event):
                    item.wait()
                elif isinstance(item, BaseException):
                    raise item
                else:
                    return item
        finally:
            self.inside = False
        return None

    def set(self, **settings):
        assert not self.inside, "set() during read()"
        if "banana" in settings:
            raise errors.Usage("no banana")
        self.settings.append(settings)

    def close(self):
        self.closed.set()


def chunk(number, lost=0):
    return Chunk(np.full(2 * COUNT, number, "u1"), RATE, lost=lost)


def numbers(ring, count):
    return [ring.read().data[0] for _ in range(count)]


def test_passes_everything_in_order_then_ends():
    ring = Ring(Receiver(*map(chunk, range(10)), None))
    assert numbers(ring, 10) == list(range(10))
    assert ring.read() is None
    assert ring.read() is None
    assert (ring.dropped, ring.queue_s) == (0, 0)
    ring.close()


def test_full_drops_the_newest_and_the_next_chunk_says_so():
    """0.2 s hold ten chunks. Five more are dropped, with what the receiver lost before one of them."""
    full, more = threading.Event(), threading.Event()
    receiver = Receiver(
        *map(chunk, range(12)), chunk(12, lost=7), chunk(13), chunk(14), full, chunk(15), chunk(16), more, None
    )
    release, full.wait = full.wait, lambda: (at_full.set(), release())
    at_full = threading.Event()
    ring = Ring(receiver, 0.2)
    assert at_full.wait(2)
    assert ring.dropped == 5 * COUNT
    assert ring.queue_s == pytest.approx(0.2)
    assert numbers(ring, 10) == list(range(10))
    assert ring.queue_s == pytest.approx(0)
    full.set()
    after = ring.read()
    assert (after.data[0], after.lost) == (15, 5 * COUNT + 7)
    assert ring.read().lost == 0
    more.set()
    assert ring.read() is None
    ring.close()


def test_samples_and_jumps_are_what_was_sent():
    """With a reader that is now and then slow: received + lost = sent."""
    rng = np.random.default_rng(2)
    ring = Ring(Receiver(*(chunk(n % 256) for n in range(2000)), None), 0.1)
    received = lost = 0
    while (item := ring.read()) is not None:
        received += len(item.data) // 2
        lost += item.lost
        if rng.random() < 0.05:
            time.sleep(0.001)
    unsaid = ring.dropped - lost  # dropped after the last chunk that was read
    assert unsaid >= 0
    assert received + ring.dropped == 2000 * COUNT
    ring.close()


def test_a_chunk_longer_than_the_ring_passes_when_it_is_empty():
    ring = Ring(Receiver(chunk(1), None), 0.001)
    assert ring.read().data[0] == 1
    ring.close()


def test_an_error_comes_after_what_was_before_it_and_stays():
    ring = Ring(Receiver(chunk(1), errors.Unavailable("unplugged")))
    assert ring.read().data[0] == 1
    for _ in range(2):
        with pytest.raises(errors.Unavailable, match="unplugged"):
            ring.read()
    ring.close()


def test_set_happens_between_two_reads():
    go = threading.Event()
    receiver = Receiver(chunk(1), go, chunk(2), *map(chunk, range(50)))
    receiver.items[3:] = [item for pair in zip(receiver.items[3:], map(slow, range(50)), strict=True) for item in pair]
    ring = Ring(receiver)
    go.set()
    ring.set(freq=101e6)
    with pytest.raises(errors.Usage, match="banana"):
        ring.set(banana=1)
    assert receiver.settings == [{"freq": 101e6}]
    ring.close()


def slow(_):
    """An event that takes 5 ms to happen."""
    event = threading.Event()
    event.wait = lambda: time.sleep(0.005)
    return event


def test_set_on_a_stuck_receiver_is_answered(monkeypatch):
    monkeypatch.setattr(_ring, "STALL_s", 0.1)
    ring = Ring(Receiver(threading.Event()))
    with pytest.raises(errors.Unavailable, match="not changed"):
        ring.set(freq=1e6)


def test_set_after_the_end_is_answered():
    ring = Ring(Receiver(None))
    assert ring.read() is None
    with pytest.raises(errors.Unavailable):
        ring.set(freq=1e6)


def test_a_receiver_stuck_in_a_call_is_unavailable(monkeypatch):
    monkeypatch.setattr(_ring, "STALL_s", 0.1)
    ring = Ring(Receiver(threading.Event()))
    with pytest.raises(errors.Unavailable, match="no samples"):
        ring.read()


@pytest.mark.parametrize("wakes", [True, False])
def test_close_takes_a_second_at_most(wakes):
    """Also when the receiver's read never returns, and when its close hangs as well."""
    stuck = threading.Event()
    receiver = Receiver(stuck)
    receiver.close = stuck.set if wakes else threading.Event().wait
    ring = Ring(receiver)
    begin = time.monotonic()
    ring.close()
    assert time.monotonic() - begin < (0.6 if wakes else 1.3)
    assert ring.read() is None


def test_close_closes_the_receiver():
    receiver = Receiver(chunk(1), None)
    Ring(receiver).close()
    assert receiver.closed.is_set()


def test_stop_in_a_signal_handler_delivers_what_is_held():
    receiver = Receiver(chunk(1), chunk(2), threading.Event())
    ring = Ring(receiver)
    before = signal.signal(signal.SIGALRM, lambda *_: ring.stop())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert numbers(ring, 2) == [1, 2]
        assert ring.read() is None  # was waiting when the signal came
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        ring.close()


def test_rows_are_counted_as_rows():
    """Telemetry at 10 rows/s: a second holds ten."""
    receiver = Receiver(*(Chunk([{"n": n}], 10.0) for n in range(15)), None)
    receiver.schema, receiver.rate = {"type": "record"}, 10.0
    ring = Ring(receiver, 1.0)
    ring._thread.join(2)
    assert ring.dropped == 5
    assert [ring.read().data[0]["n"] for _ in range(10)] == list(range(10))
    ring.close()


def test_facts_are_the_receivers():
    ring = Ring(Receiver(None))
    assert (ring.device, ring.datatype, ring.live) == ("test:0", "cu8", True)
    ring.close()


def test_slow_telemetry_is_no_stall(monkeypatch):
    """A row every 0.3 s, with a time limit of 0.1 s."""
    monkeypatch.setattr(_ring, "STALL_s", 0.1)
    pause = threading.Event()
    pause.wait = lambda: time.sleep(0.3)
    receiver = Receiver(pause, Chunk([{"n": 1}], 1 / 0.3))
    receiver.schema, receiver.rate = {"type": "record"}, 1 / 0.3
    ring = Ring(receiver)
    assert ring.read().data == [{"n": 1}]
    ring.close()
