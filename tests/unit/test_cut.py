"""Cutting by time is exact to the sample."""

import numpy as np
import pytest

from sptools import cut
from sptools.clock import SECOND
from sptools.errors import Usage
from sptools.record import IQ, Message, Rows, Start, components

T0 = 1_700_000_000 * SECOND
START = Start({"name": "sptools.IQ"}, "n/c", b"a" * 8)


def blocks(sizes=(100, 1, 899, 1000), rate=1000.0):
    at, items = 0, [START]
    ramp = np.arange(sum(sizes), dtype="<u2").view(np.uint8)  # two bytes a sample
    for n in sizes:
        items.append(IQ(T0 + at * 1_000_000, at, rate, datatype="cu8", data=ramp[2 * at : 2 * (at + n)]))
        at += n
    return items


def samples(items):
    return np.concatenate([components(i).view("<u2") for i in items if isinstance(i, IQ)] or [np.empty(0, "<u2")])


@pytest.mark.parametrize("seconds, want", [(0.1, 100), (0.1001, 100), (0.5, 500), (2.0, 2000), (5.0, 2000)])
def test_duration(seconds, want):
    assert len(samples(cut.duration(blocks(), seconds))) == want


def test_duration_counts_lost_samples():
    items = blocks()
    del items[2:4]  # 900 samples are missing
    assert len(samples(cut.duration(items, 1.5))) == 600


def test_between_is_half_open_and_exact():
    got = list(cut.between(blocks(), T0 + 50_000_000, T0 + 1_200_000_000))
    assert list(samples(got)) == list(range(50, 1200))
    first = got[1]
    assert (first.sample, first.time) == (50, T0 + 50_000_000)


def test_between_stops_reading_behind_the_range():
    def endless():
        yield from blocks()
        raise AssertionError("read on")

    assert len(samples(cut.between(endless(), None, T0 + 100_000_000))) == 100


def test_last():
    got = list(cut.last(blocks(), 0.3))
    assert got[0] is START
    assert list(samples(got)) == list(range(1700, 2000))


def test_last_of_more_than_there_is():
    assert len(samples(cut.last(blocks(), 60))) == 2000


def test_last_refuses_to_fill_the_memory(monkeypatch):
    monkeypatch.setattr(cut, "HELD", 1000)
    with pytest.raises(Usage, match="--last 9s holds more"):
        list(cut.last(blocks(), 9.0))


def test_rows_and_messages_are_cut_by_time():
    rows = [START, Rows([{"time": T0 + i * SECOND} for i in range(10)])]
    (kept,) = [i for i in cut.between(rows, T0 + 3 * SECOND, T0 + 5 * SECOND) if isinstance(i, Rows)]
    assert [r["time"] - T0 for r in kept.values] == [3 * SECOND, 4 * SECOND]
    messages = [Message(T0 + i * SECOND, 0, 0.0, 0.0, "x", "", "crc") for i in range(10)]
    assert len(list(cut.between(messages, None, T0 + 5 * SECOND))) == 5


def test_head_counts_samples_rows_and_records():
    items = blocks()
    assert cut.head(items[1], 30)[0].count == 30
    assert cut.head(items[1], 300) == (items[1], 100)
    assert cut.head(Rows([{"a": 1}, {"a": 2}]), 1)[0].values == [{"a": 1}]
    assert cut.head(START, 0) == (START, 0)
