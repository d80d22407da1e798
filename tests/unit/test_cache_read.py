"""Reading a cache: ranges through the index, damage, open segments, several channels."""

import os
import random
from itertools import pairwise

import pytest
from cachekit import COUNT, T0, fill_rows, flip, got_rows, iq, row, rows_start, samples, start

from sptools import errors
from sptools.cache import blocks, index, layout
from sptools.cache.read import read
from sptools.cache.segment import Channel
from sptools.continuity import Continuity
from sptools.record import IQ, Start

MS = 1_000_000


def write_iq(cache, n=40, **how):
    channel = Channel(str(cache), start(), **{"rotate_size": 20_000, **how})
    for k in range(n):
        channel.put(iq(k), T0 + k)
    channel.close()


def data_of(items):
    return b"".join(bytes(item.data) for item in items if isinstance(item, IQ))


def all_of(cache, **how):
    """(items, the error at the end)."""
    items = []
    try:
        for item in read(str(cache), **how):
            items.append(item)
    except errors.BadData as error:
        return items, str(error)
    return items, ""


ALL = b"".join(map(samples, range(40)))


@pytest.mark.parametrize("since, until", [(0, 40), (3, 4), (3.25, 17.5), (8, 9), (39, 41), (-5, 1), (None, 5), (5, None)])
def test_a_range_is_exact_to_the_sample(since, until, tmp_path):
    write_iq(tmp_path)
    items = list(
        read(str(tmp_path), None if since is None else T0 + int(since * MS), None if until is None else T0 + int(until * MS))
    )
    first, last = (int(max(0, min(40, x)) * COUNT) * 2 for x in (since or 0, 40 if until is None else until))
    assert data_of(items) == ALL[first:last]
    follow = Continuity()
    assert [v for item in items if (v := follow.see(item))[0] == "gap"] == []


def test_a_range_reads_only_its_blocks(tmp_path, monkeypatch):
    write_iq(tmp_path, rotate_size=1 << 30)
    asked = []
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, n, at: (asked.append(n), real(fd, n, at))[1])
    assert len(data_of(read(str(tmp_path), T0 + 20 * MS, T0 + 21 * MS))) == 2 * COUNT
    assert sum(n >= 2 * COUNT for n in asked) <= 3


def test_the_last_part(tmp_path):
    write_iq(tmp_path)
    assert data_of(read(str(tmp_path), last=0.0055)) == ALL[-11000:]
    assert data_of(read(str(tmp_path), last=1)) == ALL
    channel = Channel(str(tmp_path / "rows"), rows_start())
    fill_rows(channel, range(20))
    channel.close()
    assert got_rows(read(str(tmp_path / "rows"), last=0.05)) == [row(k) for k in range(195, 200)]


def test_rows_of_a_range(tmp_path):
    channel = Channel(str(tmp_path), rows_start(), rotate_size=1500)
    fill_rows(channel, range(30), {7: 2})
    channel.close()
    got = got_rows(read(str(tmp_path), row(55)["time"], row(95)["time"]))
    assert got == [row(k) for k in range(55, 95)]


def test_channels_follow_one_another_by_time(tmp_path):
    write_iq(tmp_path)
    channel = Channel(str(tmp_path), rows_start())
    fill_rows(channel, range(3))
    channel.close()
    items = list(read(str(tmp_path)))
    assert {s.channel for s in items if isinstance(s, Start)} == {"kqed/iq", "n/rig"}
    assert data_of(items) == ALL and len(got_rows(items)) == 30
    firsts = [after.time if isinstance(after, IQ) else after.values[0]["time"]
              for item, after in pairwise(items) if isinstance(item, Start)]  # fmt: skip
    assert firsts == sorted(firsts)
    assert {s.channel for s in read(str(tmp_path), channels=["n/*"]) if isinstance(s, Start)} == {"n/rig"}
    assert data_of(read(str(tmp_path / "kqed" / "iq"))) == ALL  # the folder of one channel


def test_what_is_not_there_says_what_is(tmp_path):
    with pytest.raises(errors.NoInput, match="no such folder"):
        list(read(str(tmp_path / "no")))
    with pytest.raises(errors.NoInput, match="holds no segment"):
        list(read(str(tmp_path)))
    write_iq(tmp_path)
    with pytest.raises(errors.NoInput, match="holds kqed/iq"):
        list(read(str(tmp_path), channels=["x"]))
    with pytest.raises(errors.NoInput, match="it holds 2026-01-02T03:04:05Z"):
        list(read(str(tmp_path), T0 + 10**12))


def test_every_flipped_byte_is_found_and_costs_one_block(tmp_path):
    """Anywhere in the segment or its index: header, frames, samples, markers."""
    write_iq(tmp_path, 8, rotate_size=1 << 30)
    (segment,) = layout.segments(str(tmp_path))
    good = {path: open(path, "rb").read() for path in (segment.path, segment.index_path)}
    header = len(index.load(segment.index_path).header)
    r = random.Random(7)
    places = [(segment.path, at) for at in [*range(header), *(r.randrange(header, len(good[segment.path])) for _ in range(300))]]
    places += [(segment.index_path, at) for at in range(len(good[segment.index_path]))]
    for path, at in places[:: 1 if os.environ.get("SP_SOAK") else 5]:
        flip(path, at)
        items, said = all_of(tmp_path)
        got = data_of(items)
        if path == segment.path:
            assert "1 place is damaged" in said, at
        if got != ALL[: len(samples(0)) * 8]:
            blocks_ = [bytes(i.data) for i in items if isinstance(i, IQ)]
            assert said and len(blocks_) == 7 and set(blocks_) < set(map(samples, range(8))), (path, at)
        with open(path, "r+b") as file:
            file.write(good[path])


def test_a_damaged_block_of_rows_is_a_gap(tmp_path):
    channel = Channel(str(tmp_path), rows_start())
    fill_rows(channel, range(6))
    channel.close()
    (segment,) = layout.segments(str(tmp_path))
    at = int(index.load(segment.index_path).rows[2, index.OFFSET])
    flip(segment.path, at + 30)
    items, said = all_of(tmp_path)
    assert got_rows(items) == [row(k) for k in range(60) if not 20 <= k < 30]
    assert f"at byte {at}" in said.replace(",", "") and segment.path in said
    follow = Continuity()
    assert [v for item in items if (v := follow.see(item))[0] == "gap"] == [("gap", 1)]


def test_without_an_index_the_segment_is_read_as_it_is(tmp_path):
    write_iq(tmp_path)
    for segment in layout.segments(str(tmp_path)):
        os.unlink(segment.index_path)
    assert data_of(read(str(tmp_path))) == ALL
    assert data_of(read(str(tmp_path), T0 + 3 * MS, T0 + 5 * MS)) == ALL[6000:10000]


def test_a_short_index_is_completed_from_the_segment(tmp_path):
    write_iq(tmp_path, rotate_size=1 << 30)
    (segment,) = layout.segments(str(tmp_path))
    told = index.load(segment.index_path)
    for keep in (slice(0, 3), slice(5, None), [0, 1, 7, 8, 30]):
        index.write(segment.index_path, index.Index(told.header, told.rows[keep]))
        assert data_of(read(str(tmp_path))) == ALL
        assert data_of(read(str(tmp_path), T0 + 20 * MS, T0 + 21 * MS)) == samples(20)


def test_a_closed_segment_that_was_cut(tmp_path):
    write_iq(tmp_path, 10, rotate_size=1 << 30)
    (segment,) = layout.segments(str(tmp_path))
    os.truncate(segment.path, os.path.getsize(segment.path) - 5)
    items, said = all_of(tmp_path)
    assert data_of(items) == ALL[: 9 * 2 * COUNT] and "ends inside a block" in said


def test_an_open_segment_is_read_up_to_its_last_whole_block(tmp_path):
    channel = Channel(str(tmp_path), start())
    for k in range(5):
        channel.put(iq(k))
        assert data_of(read(str(tmp_path))) == b"".join(map(samples, range(k + 1)))
    (segment,) = layout.segments(str(tmp_path))
    size = os.path.getsize(segment.path)
    channel.put(iq(5))
    whole = os.path.getsize(segment.path)
    for cut in (size, size + 1, size + 1000, whole - 1):
        os.truncate(segment.path, cut)
        assert data_of(read(str(tmp_path))) == b"".join(map(samples, range(5)))


def test_rows_decode_whatever_their_width():
    r = random.Random(3)
    rows = [[r.choice((0, 1, -1, 63, 64, -(1 << 63), (1 << 63) - 1, r.randrange(1 << 40))) for _ in range(8)] for _ in range(500)]
    marker = bytes(16)
    encoded = [index.encode(tuple(one), marker)[:-16] for one in rows]
    bodies = [one[3:] if one[1] & 0x80 else one[2:] for one in encoded]
    assert index.decode(bodies).tolist() == rows
    bodies[7] = bodies[7][:-1]
    assert index.decode(bodies).tolist() == rows[:7] + rows[8:]
    assert blocks.END > 0
