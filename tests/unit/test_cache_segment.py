"""The writer of segments: what lies on the disk is what was appended, over rotations, losses and failures."""

import os
import random
import sys
import time

import pytest
from cachekit import BOOT, ROWS, T0, body, by_fastavro, fill_rows, got_rows, iq, row, rows_start, samples, start

from sptools import codecs, errors
from sptools.cache import index, layout, mend
from sptools.cache.read import read
from sptools.cache.segment import Channel
from sptools.continuity import Continuity
from sptools.record import IQ, Message, Rows, Start
from sptools.schemas import built_in


def paths(cache):
    return [s.path for s in layout.segments(str(cache))]


def verdicts(items):
    """(verdict, lost) of everything that is not plain continuation."""
    follow = Continuity()
    return [seen for item in items if (seen := follow.see(item))[0] != "go"]


def test_names_are_utc_and_sort_as_times_do():
    assert layout.stem(T0 + 123_456_789) == "20260102T030405.123456789Z"
    times = sorted(random.Random(1).randrange(1 << 62) for _ in range(200))
    assert sorted(map(layout.stem, times)) == [layout.stem(t) for t in times]


@pytest.mark.parametrize("name", ["", "../x", "a/../b", "/etc", "a/b/c/d/e", "tags", "tags/x", "a b", "-x", "a\0", "x" * 64])
def test_a_channel_cannot_leave_the_cache(name, tmp_path):
    with pytest.raises(errors.BadData, match="cannot be a channel"):
        Channel(str(tmp_path), start(name))


@pytest.mark.parametrize("codec", codecs.NAMES)
def test_bodies_are_stored_undecoded(codec, tmp_path):
    channel = Channel(str(tmp_path), rows_start(), codec=codec)
    fill_rows(channel, range(20))
    channel.close()
    (path,) = paths(tmp_path)
    assert by_fastavro(path) == [row(k) for k in range(200)]
    if codec == "null":
        assert b"".join(body(k) for k in range(3)) not in open(path, "rb").read()  # framed, one by one
        assert all(body(k) in open(path, "rb").read() for k in range(20))
    assert got_rows(read(str(tmp_path))) == [row(k) for k in range(200)]


def test_a_body_of_many_buffers(tmp_path):
    channel = Channel(str(tmp_path), rows_start())
    channel.append([memoryview(body(k, 1)) for k in range(3000)], 3000, T0)
    channel.close()
    assert len(by_fastavro(paths(tmp_path)[0])) == 3000


def test_records_of_every_kind(tmp_path):
    message = Message(T0, 5, 1.09e9, -12.5, "adsb", "8d", "crc", {"a": 1, "b": True, "c": "x"})
    for name, records in (("IQ", [iq(0), iq(1)]), ("Message", [message] * 3)):
        channel = Channel(str(tmp_path / name), Start(built_in(name), f"n/{name}", BOOT))
        for item in records:
            channel.put(item)
        channel.close()
        assert [i for i in read(str(tmp_path / name)) if isinstance(i, Message)] == [r for r in records if name == "Message"]
    assert b"".join(bytes(i.data) for i in read(str(tmp_path / "IQ")) if isinstance(i, IQ)) == samples(0) + samples(1)
    channel = Channel(str(tmp_path / "rows"), rows_start())
    channel.put(Rows([row(k) for k in range(5000)]))
    channel.put(Rows(body=body(500), count=10))
    channel.close()
    assert got_rows(read(str(tmp_path / "rows"))) == [row(k) for k in range(5010) if k < 5000 or k >= 5000][:5000] + [
        row(5000 + i) for i in range(10)
    ]


def test_the_index_tells_of_every_block(tmp_path):
    channel = Channel(str(tmp_path), rows_start())
    fill_rows(channel, range(5), {3: 7})
    channel.append(body(5), 10, row(50)["time"], 100, 0, last_arrival=120)
    channel.close()
    (segment,) = layout.segments(str(tmp_path))
    told, made = index.load(segment.index_path), mend.rebuild(segment)
    data = open(segment.path, "rb").read()
    assert data.startswith(told.header) and told.header == made.header
    assert [r[index.TIME] for r in told.rows] == [row(10 * k)["time"] for k in range(6)]
    assert list(told.rows[:, index.LOST]) == [0, 0, 0, 7, 0, 0]
    assert list(told.rows[5, 4:6]) == [100, 120]
    for r in told.rows:
        assert codecs.crc32(data[r[0] : r[0] + r[1]]) == r[index.CRC]
    unknown = [index.FIRST, index.LAST, index.LOST]
    made.rows[:, unknown] = told.rows[:, unknown]
    assert (made.rows == told.rows).all()
    # any library reads it
    assert [r["count"] for r in by_fastavro(segment.index_path)] == [10] * 6


def test_rotation_by_size_is_continuous(tmp_path):
    channel = Channel(str(tmp_path), start(first=40), rotate_size=10_000)
    for k in range(40):
        channel.put(iq(k))
    channel.close()
    found = paths(tmp_path)
    assert len(found) == len(channel.closed) > 5 and found == channel.closed
    assert all(os.path.getsize(path) <= 10_000 for path in found)
    items = list(read(str(tmp_path)))
    starts = [item for item in items if isinstance(item, Start)]
    assert len(starts) == len(found) and {s.boot for s in starts} == {BOOT} and starts[0].first == 40
    assert verdicts(items) == [("start", 0), ("start", 0)]  # the header's and the first block's
    assert b"".join(bytes(i.data) for i in items if isinstance(i, IQ)) == b"".join(map(samples, range(40)))


def test_rotation_by_time(tmp_path):
    channel = Channel(str(tmp_path), rows_start(), rotate_time=30)
    fill_rows(channel, range(2))
    channel.tick(time.monotonic() + 29)
    assert not channel.closed
    channel.tick(time.monotonic() + 31)
    fill_rows(channel, [2])
    channel.close()
    assert [len(by_fastavro(path)) for path in paths(tmp_path)] == [20, 10]


def test_another_boot_and_another_schema_begin_a_segment(tmp_path):
    channel = Channel(str(tmp_path), rows_start())
    fill_rows(channel, [0])
    channel.begin(rows_start(first=1))  # goes on
    fill_rows(channel, [1])
    channel.begin(rows_start(boot=b"another!"))
    fill_rows(channel, [2])
    channel.begin(Start({**ROWS, "name": "other"}, "n/rig", b"another!", 1))
    fill_rows(channel, [3])
    channel.close()
    assert [len(by_fastavro(path)) for path in paths(tmp_path)] == [20, 10, 10]
    assert verdicts(read(str(tmp_path)))[0] == ("start", 0)


def test_names_never_collide(tmp_path):
    for boot in range(3):
        channel = Channel(str(tmp_path), rows_start(boot=bytes([boot]) * 8), rotate_size=1)
        for _ in range(3):
            channel.append(body(0), 10, T0)
        channel.close()
    assert len(paths(tmp_path)) == 9 and sum(len(by_fastavro(path)) for path in paths(tmp_path)) == 90


def test_a_loss_is_told_by_the_index_and_by_the_numbers(tmp_path):
    channel = Channel(str(tmp_path), rows_start(), rotate_size=2000)
    fill_rows(channel, range(12), {4: 3, 9: 2})
    channel.begin(rows_start(first=14, lost=2))  # the source itself lost two blocks
    fill_rows(channel, [12])
    channel.close()
    assert len(paths(tmp_path)) > 2
    items = list(read(str(tmp_path)))
    assert [v for v in verdicts(items) if v[0] == "gap"] == [("gap", 3), ("gap", 2), ("gap", 2)]
    assert got_rows(items) == [row(k) for k in range(130)]
    # without the index, the next header's number still shows that something is missing
    from sptools.formats.avro import read as containers
    from sptools.transports.file import Input

    plain = [item for path in paths(tmp_path) for item in containers(Input(path))]
    assert any(v[0] == "gap" for v in verdicts(plain))


def test_samples_show_their_own_loss_once(tmp_path):
    channel = Channel(str(tmp_path), start())
    channel.put(iq(0))
    data = iq(5)
    channel.append(b"".join((channel._samples.head(data, len(data.data)), data.data)), 1, data.time, 0, lost=4)
    channel.close()
    assert [v for v in verdicts(read(str(tmp_path))) if v[0] == "gap"] == [("gap", 4000)]


def test_sync_after_a_second_or_eight_mebibytes(tmp_path, monkeypatch):
    synced = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (synced.append(fd), real(fd)))
    channel = Channel(str(tmp_path), start(), sync=1000)
    block = bytes(1 << 20)
    for k in range(20):
        channel.append(block, 1, T0 + k)
    assert len(synced) == 2 and channel.durable == 16
    channel.tick(time.monotonic() + 1001)
    assert len(synced) == 3 and channel.durable == channel.number == 20
    every = Channel(str(tmp_path / "b"), start(), sync=0)
    for k in range(3):
        every.append(block, 1, T0 + k)
        assert every.durable == every.number == k + 1


def test_a_failed_write_ends_its_segment_and_the_next_one_tells(tmp_path, monkeypatch):
    channel = Channel(str(tmp_path), rows_start())
    fill_rows(channel, range(3))
    real, calls = os.writev, []

    def full(fd, buffers):
        calls.append(fd)
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(errors.IOFailure, match=r"No space left.*3 whole blocks"):
        channel.append(body(3), 10, row(30)["time"], 0, 5, frames=4)
    monkeypatch.setattr(os, "writev", real)
    fill_rows(channel, [4, 5])
    channel.close()
    assert len(calls) == 1 and [s.open for s in layout.segments(str(tmp_path))] == [True, False]
    items = list(read(str(tmp_path)))
    assert got_rows(items) == [row(k) for k in range(60) if not 30 <= k < 40]
    assert [v for v in verdicts(items) if v[0] == "gap"] == [("gap", 9)]  # five frames and the four that failed


def test_a_failed_sync_ends_its_segment(tmp_path, monkeypatch):
    channel = Channel(str(tmp_path), rows_start(), sync=0)
    monkeypatch.setattr(os, "fdatasync", lambda fd: (_ for _ in ()).throw(OSError(5, os.strerror(5))))
    with pytest.raises(errors.IOFailure, match="syncing failed"):
        fill_rows(channel, [0])
    monkeypatch.undo()
    fill_rows(channel, [1])
    channel.close()
    assert [s.open for s in layout.segments(str(tmp_path))] == [True, False]
    assert got_rows(read(str(tmp_path))) == [row(k) for k in range(20)]


def test_a_segment_without_a_block_is_not_kept(tmp_path):
    Channel(str(tmp_path), start()).close()
    assert paths(tmp_path) == []


def test_forty_rotations_a_second_in_four_channels_lose_nothing(tmp_path):
    """Half a second's worth of them: 80 segments."""
    writers = [Channel(str(tmp_path), rows_start(f"n/c{c}"), rotate_size=1000) for c in range(4)]
    for k in range(60):
        for writer in writers:
            fill_rows(writer, [k])
    for writer in writers:
        writer.close()
    for c, writer in enumerate(writers):
        assert len(writer.closed) >= 20
        items = list(read(str(tmp_path), channels=[f"n/c{c}"]))
        assert got_rows(items) == [row(k) for k in range(600)]
        assert [v for v in verdicts(items) if v[0] == "gap"] == []
        assert [r for path in writer.closed for r in by_fastavro(path)] == [row(k) for k in range(600)]


def test_crc32_is_zlibs_with_and_without_isal(monkeypatch):
    import zlib

    data = random.Random(2).randbytes(100_000)
    for library in ("isal", None):
        if library is None:
            monkeypatch.setitem(sys.modules, "isal", None)
            monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
        codecs._crc32.cache_clear()
        assert codecs.crc32(data) == zlib.crc32(data)
        assert codecs.crc32(memoryview(data)[999:], codecs.crc32(data[:999])) == zlib.crc32(data)
    codecs._crc32.cache_clear()
