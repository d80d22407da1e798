"""Cuts, flips and holes: at most a block is lost, the rest is delivered, and the end says so."""

import itertools
import random
import re

import pytest
from avro_memory import got, iq, messages, rows, written

from sptools import errors, record
from sptools.formats.avro import varint


def blocks(items):
    return [i for i in items if not isinstance(i, record.Start)]


def payloads(items):
    return [i.data for i in items if isinstance(i, record.IQ)]


def ends(data, marker_at):
    """Offsets behind the header and behind each block."""
    marker = data[marker_at - 16 : marker_at]
    return [m.end() for m in re.finditer(re.escape(marker), data)]


def header_size(items):
    return len(written(items[:1]))


def test_cut_at_every_byte():
    items = iq(60, 500)
    data = written(items)
    assert 60_000 < len(data) < 66_000
    borders = ends(data, header_size(items))
    near = {b + d for b in borders for d in range(-20, 90)}
    for n in sorted(near | set(range(1, len(data), 37)) | set(range(1, 300))):
        if not 0 < n < len(data):
            continue
        # the header counts as one; a record is whole though its block's marker is cut off
        whole = (borders[0] <= n) + sum(b - 16 <= n for b in borders[1:])
        try:
            found, problem = got(data[:n])
        except errors.BadData as e:
            found, problem = [], e
        assert len(found) == whole, n
        assert (problem is None) == (n in borders), n


@pytest.mark.parametrize("make", (rows, messages))
def test_a_cut_tail_gives_its_whole_rows(make):
    items = make(100)
    data = written(items)
    begin = header_size(items) + 4
    counts = []
    for n in range(begin, len(data), 7):
        found, problem = got(data[:n])
        counts.append(sum(getattr(i, "count", 1) for i in blocks(found)))
        assert problem is not None and "ends inside a block" in str(problem)
    assert counts[0] == 0 and counts[-1] >= 99 and counts == sorted(counts)


@pytest.mark.parametrize("codec", ("null", "deflate", "zstandard"))
def test_thousands_of_flips(codec):
    items = iq(20, 250)
    data = written(items, codec=codec)
    border = header_size(items) + (len(codec) - 4)
    wanted = payloads(items)
    rng = random.Random(1)
    for _ in range(1500):
        at = rng.randrange(border, len(data))
        hurt = bytearray(data)
        hurt[at] ^= 1 << rng.randrange(8)
        found, problem = got(bytes(hurt))
        right = sum(block in wanted for block in payloads(found))
        assert right >= 19, (at, right)
        silent = right < 20 and problem is None
        assert not silent or (codec != "zstandard" and len(payloads(found)) == 20), at


def test_flips_in_the_header_cost_that_container_only():
    items = iq(5, 100)
    one, two = written(items), written(iq(5, 100, seed=2))
    border = header_size(items)
    wanted = payloads(iq(5, 100, seed=2))
    for at in range(border):
        hurt = bytearray(one)
        hurt[at] ^= 1 << at % 8
        try:
            found, _ = got(bytes(hurt) + two)
        except errors.BadData as e:
            pytest.fail(f"{at}: {e}")
        assert payloads(found)[-5:] == wanted, at


def test_a_damaged_marker_costs_one_block():
    items = iq(10)
    data = written(items)
    for k, border in enumerate(ends(data, header_size(items))[1:]):
        hurt = bytearray(data)
        hurt[border - 3] ^= 0xFF
        found, problem = got(bytes(hurt))
        assert payloads(found) == payloads(items)[:k] + payloads(items)[k + 1 :]
        assert "1 place" in str(problem) and "1 block" in str(problem)


def test_holes_and_insertions_cost_what_they_touch():
    items = iq(40)
    data = written(items)
    begin = header_size(items)
    rng = random.Random(2)
    borders = ends(data, begin)
    lengths = {b - a for a, b in itertools.pairwise(borders)}
    for _ in range(200):
        a = rng.randrange(begin, len(data) - 3000)
        n = rng.randrange(1, 3000)
        junk = rng.choice([b"", rng.randbytes(500), bytes(100), b"Obj\x01", b"Obj\x01\x04\x16avro.schema"])
        if n - len(junk) in lengths or n - len(junk) == sum(sorted(lengths)[:2]):
            continue  # fits by chance: nothing but a checksum could tell
        found, problem = got(data[:a] + junk + data[a + n :])
        assert len(blocks(found)) >= 40 - n // 1000 - 3 and problem


def test_damage_between_containers_and_trailing_junk():
    one = written(iq(3))
    for junk in (b"x", b"hello world, what a day", bytes(40), b"Obj\x01", b"\xff" * 50):
        found, problem = got(one + junk + one)
        assert len(blocks(found)) == 6 and problem, junk
        found, problem = got(one + junk)
        assert len(blocks(found)) == 3 and problem, junk


def test_a_loss_of_rows_is_a_new_start():
    parts = [written(rows(50, 0))]
    items = rows(50, 0)
    for k in range(4):
        items.append(record.Rows(rows(5000, 100 * k)[1].values))
    data = written(items)
    border = ends(data, header_size(items))
    assert len(border) > 4
    hurt = data[: border[1] + 1] + b"\xff" + data[border[1] + 2 :]
    found, problem = got(hurt)
    starts = [i for i in found if isinstance(i, record.Start)]
    assert [(s.first, s.lost) for s in starts] == [(0, 0), (2, 1)] and problem
    assert starts[1].boot == starts[0].boot and parts


def test_a_loss_of_samples_shows_in_sample():
    items = iq(10)
    data = bytearray(written(items))
    border = ends(bytes(data), header_size(items))
    data[border[3]] ^= 0x80
    found, problem = got(bytes(data))
    assert [type(i).__name__ for i in found].count("Start") == 1 and problem
    assert [i.sample for i in blocks(found)] == [0, 500, 1000, 2000, 2500, 3000, 3500, 4000, 4500]


def test_a_length_that_lies_beyond_16_MiB_does_not_swallow_the_rest():
    from sptools.formats.avro import varint

    items = iq(30)
    data = written(items)
    border = ends(data, header_size(items))
    for size in (17 << 20, 1 << 40, 1 << 62):
        hurt = data[: border[4]] + b"\2" + varint.encode(size) + data[border[4] + 3 :]
        found, problem = got(hurt)
        assert payloads(found)[:4] == payloads(items)[:4] and payloads(found)[-25:] == payloads(items)[-25:] and problem


def test_samples_that_are_none_are_skipped():
    items = iq(4)
    for field, value in (("rate", 0.0), ("rate", float("nan")), ("rate", -1.0), ("datatype", "cx9"), ("channels", 0),
                         ("datatype", "rf32_le"), ("channels", -5), ("freq", float("inf")), ("channels", 3)):  # fmt: skip
        bad = iq(1)[1]
        setattr(bad, field, value)
        found, problem = got(written([*items[:3], bad, items[3]]))
        assert len(blocks(found)) == 3 and "not IQ" in str(problem), field


def test_not_avro_at_all():
    for data in (b"x", bytes(1000), b"RIFF" + bytes(100), bytes(3 << 20), b"Obj", b"Obj\x01"):
        with pytest.raises(errors.BadData):
            raise got(data)[1]


def test_a_header_that_is_too_long_costs_its_container_only():
    """L6: reading goes on at the next header, however far behind it stands."""
    size = 3 << 20
    long = b"Obj\x01\x02\x02x" + varint.encode(size) + b"a" * size
    items, problem = got(long + written(rows(5)))
    assert [r for i in items[1:] for r in i.values] == [r for i in rows(5)[1:] for r in i.values]
    assert "the header is longer than" in str(problem)


def test_a_length_that_ends_inside_the_marker_costs_one_block():
    """The marker's last bytes and the next frame can read as one frame; its count gives it away."""
    items = iq(6, 250)
    data = written(items, codec="zstandard")
    marker = data[-16:]
    data = data.replace(marker, marker[:12] + b"\xf5\xf6\xf7\xf8")
    first = header_size(items) + 5
    hurt = bytearray(data)
    hurt[first + 1] ^= 8  # four bytes less
    found, problem = got(bytes(hurt))
    assert problem is not None and payloads(found) == payloads(items)[1:]
