"""Recovery: an open segment cut at every byte, power failures, lost indexes, what is another process's."""

import os
import shutil

import pytest
from cachekit import body, by_fastavro, fill_rows, flip, got_rows, row, rows_start

from sptools.cache import index, layout
from sptools.cache.read import read
from sptools.cache.recover import recover
from sptools.cache.segment import Channel

BLOCKS = 6


@pytest.fixture
def crashed(tmp_path):
    """A cache whose writer died: an open segment of six blocks of ten rows."""
    channel = Channel(str(tmp_path / "c"), rows_start())
    fill_rows(channel, range(BLOCKS), {2: 5})
    channel._file.abandon()  # what the end of a process does to its descriptors
    (segment,) = layout.segments(str(tmp_path / "c"))
    return str(tmp_path / "c"), segment


def test_cut_at_every_byte(crashed, tmp_path):
    cache, segment = crashed
    told = index.load(segment.index_path)
    ends = [len(told.header), *(int(r[0] + r[1]) for r in told.rows)]
    whole = open(segment.path, "rb").read()
    for cut in range(0, len(whole) + 1, 1 if os.environ.get("SP_SOAK") else 7):
        again = str(tmp_path / "again")
        shutil.copytree(cache, again)
        os.truncate(segment.path.replace(cache, again), cut)
        (done,) = recover(again)
        kept = sum(end <= cut for end in ends) - 1
        if kept <= 0:
            assert done.what == "removed" and layout.segments(again) == []
        else:
            assert (done.what, done.blocks, done.cut, done.torn) == ("closed", kept, cut - ends[kept], BLOCKS - kept), cut
            (closed,) = layout.segments(again)
            assert open(closed.path, "rb").read() == whole[: ends[kept]]
            assert by_fastavro(closed.path) == [row(k) for k in range(10 * kept)]
            assert (index.load(closed.index_path).rows == told.rows[:kept]).all()
        shutil.rmtree(again)


@pytest.mark.parametrize("rows", [0, 1, 4, None])
def test_a_short_or_missing_index_is_made_again(rows, crashed):
    cache, segment = crashed
    told = index.load(segment.index_path)
    if rows is None:
        os.unlink(segment.index_path)
    else:
        index.write(segment.index_path, index.Index(told.header, told.rows[:rows]))
    (done,) = recover(cache)
    assert (done.what, done.blocks, done.cut) == ("closed", BLOCKS, 0)
    (closed,) = layout.segments(cache)
    made = index.load(closed.index_path).rows
    known = [index.OFFSET, index.SIZE, index.COUNT, index.TIME, index.CRC]
    assert (made[:, known] == told.rows[:, known]).all()


def test_a_hole_of_zeros_is_found(crashed):
    """A power failure: a page of the last block never reached the disk, its marker did."""
    cache, segment = crashed
    told = index.load(segment.index_path).rows
    with open(segment.path, "r+b") as file:
        file.seek(int(told[-1, index.OFFSET]) + 20)
        file.write(bytes(40))
    (done,) = recover(cache)
    assert done.blocks == BLOCKS - 1 and done.torn == 1
    assert got_rows(read(cache)) == [row(k) for k in range(50)]


def test_a_tail_of_zeros(crashed):
    cache, segment = crashed
    with open(segment.path, "ab") as file:
        file.write(bytes(5000))
    (done,) = recover(cache)
    assert (done.blocks, done.cut, done.torn) == (BLOCKS, 5000, 0) and "5,000 bytes" in str(done)


def test_a_damaged_header_comes_back_from_the_index(crashed):
    cache, segment = crashed
    good = open(segment.path, "rb").read()
    flip(segment.path, 60)
    recover(cache)
    (closed,) = layout.segments(cache)
    assert open(closed.path, "rb").read() == good


def test_what_is_being_written_is_left_alone(tmp_path):
    channel = Channel(str(tmp_path), rows_start())
    fill_rows(channel, [0])
    (done,) = recover(str(tmp_path))
    assert done.what == "busy" and "another process" in str(done)
    fill_rows(channel, [1])
    channel.close()
    assert recover(str(tmp_path)) == [] and got_rows(read(str(tmp_path))) == [row(k) for k in range(20)]


def test_closed_segments_get_their_index_and_orphans_go(tmp_path):
    channel = Channel(str(tmp_path), rows_start(), rotate_size=1)
    fill_rows(channel, range(3))
    channel.close()
    one, two, three = layout.segments(str(tmp_path))
    before = {s.path: open(s.path, "rb").read() for s in (one, two, three)}
    os.unlink(one.index_path)
    os.truncate(two.index_path, os.path.getsize(two.index_path) - 1)
    orphan = os.path.join(three.folder, layout.stem(5) + layout.INDEX)
    shutil.copy(three.index_path, orphan)
    done = recover(str(tmp_path))
    assert [(d.path, d.what) for d in done] == [(one.path, "indexed"), (two.path, "indexed")]
    assert all(len(index.load(s.index_path).rows) == 1 for s in (one, two)) and not os.path.exists(orphan)
    assert {path: open(path, "rb").read() for path in before} == before
    assert recover(str(tmp_path)) == []


def test_the_age_of_a_segment_stays(crashed):
    cache, segment = crashed
    os.utime(segment.path, ns=(10**18, 10**18))
    recover(cache)
    assert os.stat(layout.segments(cache)[0].path).st_mtime_ns == 10**18


def test_a_writer_goes_on_beside_what_was_recovered(crashed):
    cache, _ = crashed
    recover(cache)
    channel = Channel(cache, rows_start(boot=b"nextboot"))
    channel.append(body(0), 10, row(0)["time"])  # the very name that is taken
    channel.close()
    assert sum(len(by_fastavro(s.path)) for s in layout.segments(cache)) == 70
