"""Tags: hard links of a range, that can be finished, listed, read and removed."""

import json
import os

import pytest
from cachekit import T0, fill_rows, got_rows, row, rows_start

from sptools import errors
from sptools.cache import layout, tags
from sptools.cache.read import read
from sptools.cache.segment import Channel


@pytest.fixture
def cache(tmp_path):
    for name in ("n/a", "n/b"):
        channel = Channel(str(tmp_path), rows_start(name), rotate_size=1)
        fill_rows(channel, range(10))  # a segment each, of 100 ms
        channel.close()
    return str(tmp_path)


def at(k):
    return row(k)["time"]


def linked(cache, name):
    return [(s.channel, s.stem) for s in layout.segments(os.path.join(cache, "tags", name))]


def test_the_segments_of_the_range(cache):
    facts = tags.add(cache, "x", at(45), at(55), ["n/a"], "noise")
    stems = [s.stem for s in layout.segments(cache) if s.channel == "n/a"]
    assert linked(cache, "x") == [("n/a", stem) for stem in stems[4:6]]
    assert facts["channels"] == {"n/a": 2} and facts["note"] == "noise" and facts["since"] == "2026-01-02T03:04:05.45Z"
    assert tags.listing(cache) == [facts]
    for segment in layout.segments(os.path.join(cache, "tags", "x")):
        assert os.stat(segment.path).st_nlink == os.stat(segment.index_path).st_nlink == 2
    assert got_rows(read(os.path.join(cache, "tags", "x"), at(45), at(55))) == [row(k) for k in range(45, 55)]
    assert len(got_rows(read(cache))) == 200  # the cache itself shows nothing twice


def test_without_a_range_all(cache):
    assert tags.add(cache, "all")["channels"] == {"n/a": 10, "n/b": 10}


def test_a_second_run_completes(cache):
    whole = tags.add(cache, "whole", at(0), at(60))
    half = os.path.join(cache, "tags", "half")
    tags.add(cache, "half", at(0), at(60))
    os.unlink(os.path.join(half, "tag.json"))
    for segment in layout.segments(half)[3:]:
        os.unlink(segment.path)
    assert {"name": "half", "unfinished": True} in tags.listing(cache)
    again = tags.add(cache, "half", at(0), at(60))
    assert {**again, "name": "whole"} == whole and linked(cache, "half") == linked(cache, "whole")
    assert tags.add(cache, "half", at(0), at(60)) == again
    with pytest.raises(errors.Usage, match="another range"):
        tags.add(cache, "half", at(0), at(50))


def test_an_open_segment_is_tagged_and_goes_on(tmp_path):
    channel = Channel(str(tmp_path), rows_start())
    fill_rows(channel, [0])
    tags.add(str(tmp_path), "now")
    fill_rows(channel, [1])
    channel.close()
    os.unlink(channel.closed[0])
    assert got_rows(read(str(tmp_path / "tags/now"))) == [row(k) for k in range(20)]


def test_removed(cache):
    tags.add(cache, "x", at(0), at(10))
    tags.add(cache, "y", at(0), at(10))
    tags.remove(cache, "x")
    assert [t["name"] for t in tags.listing(cache)] == ["y"] and len(got_rows(read(cache))) == 200
    with pytest.raises(errors.NoInput, match="no tag x: it has y"):
        tags.remove(cache, "x")


@pytest.mark.parametrize("name", ["", "..", "a/b", "/x", "-a", "a b", "x" * 64])
def test_names(name, cache):
    with pytest.raises(errors.Usage, match="cannot name a tag"):
        tags.add(cache, name)
    with pytest.raises(errors.Usage, match="cannot name a tag"):
        tags.remove(cache, name)


def test_nothing_to_tag(cache, tmp_path):
    with pytest.raises(errors.NoInput, match="nothing in that range"):
        tags.add(cache, "x", T0 - 10**12, T0 - 10**11)
    with pytest.raises(errors.NoInput, match="no channel matches z"):
        tags.add(cache, "x", channels=["z"])
    with pytest.raises(errors.NoInput, match="not a cache"):
        tags.add(str(tmp_path / "no"), "x")
    assert tags.listing(cache) == []


def test_strange_things_among_the_tags(cache):
    tags.add(cache, "x")
    folder = os.path.join(cache, "tags")
    os.mkdir(os.path.join(folder, "bad"))
    with open(os.path.join(folder, "bad", "tag.json"), "w") as file:
        json.dump(["no"], file)
    with open(os.path.join(folder, "file"), "w"):
        pass
    assert [t["name"] for t in tags.listing(cache)] == ["bad", "x"]
