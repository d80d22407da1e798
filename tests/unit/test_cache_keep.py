"""Retention by age, quota and free space; what it leaves alone; a clock that jumps."""

import os

from cachekit import body, rows_start

from sptools.cache import keep, layout, tags
from sptools.cache.keep import Keeper, Rules
from sptools.cache.segment import Channel

NOW = 1_800_000_000
SECOND = 10**9


def make(cache, ages, channel="n/rig"):
    """Closed segments of one block, last written so many seconds before NOW."""
    writer = Channel(str(cache), rows_start(channel), rotate_size=1)
    for k, _ in enumerate(ages):
        writer.append(body(0), 10, (NOW + k) * SECOND)
    writer.close()
    for path, age in zip(writer.closed, ages, strict=True):
        os.utime(path, (NOW - age, NOW - age))
    return writer.closed


def sweep(keeper, seconds=0.0, wall=0.0):
    """A sweep so many seconds of both clocks after NOW, the wall clock off by `wall` more."""
    return keeper.sweep(int((NOW + seconds + wall) * SECOND), seconds)


def left(cache):
    return [s.path for s in layout.segments(str(cache))]


def test_age(tmp_path):
    paths = make(tmp_path, [100, 50, 20, 5])
    keeper = Keeper(str(tmp_path), age=30)
    assert sweep(keeper) == paths[:2] and left(tmp_path) == paths[2:]
    assert not [name for name in os.listdir(tmp_path / "n/rig") if name.startswith(os.path.basename(paths[0])[:20])]
    assert sweep(keeper, 9) == [] and sweep(keeper, 11) == [paths[2]] and keeper.removed == 3


def test_quota_takes_the_oldest_over_channels(tmp_path):
    a, b = make(tmp_path, [40, 20], "n/a"), make(tmp_path, [30, 10], "n/b")
    sizes = {h.segment.path: h.size for h in keep.holdings(str(tmp_path))}
    assert sweep(Keeper(str(tmp_path), quota=sum(sizes.values()))) == []
    assert sweep(Keeper(str(tmp_path), quota=sizes[a[1]] + sizes[b[1]])) == [a[0], b[0]]


def test_min_free(tmp_path, monkeypatch):
    paths = make(tmp_path, [40, 30, 20, 10])
    sizes = [h.size for h in keep.holdings(str(tmp_path))]
    monkeypatch.setattr(keep, "_free", lambda folder: 1000)
    assert sweep(Keeper(str(tmp_path), min_free=1000)) == []
    assert sweep(Keeper(str(tmp_path), min_free=1000 + sizes[0] + 1)) == paths[:2]


def test_rules_of_channels(tmp_path):
    a, b, c = (make(tmp_path, [100, 50, 20], f"n/{name}") for name in "abc")
    size = max(h.size for h in keep.holdings(str(tmp_path)))  # compressed headers differ by some bytes
    rules = {"n/a": Rules(age=1000), "n/b": Rules(quota=size)}
    gone = sweep(Keeper(str(tmp_path), age=60, channels=rules))
    assert set(gone) == {c[0], b[0], b[1]} and set(left(tmp_path)) == {*a, b[2], c[1], c[2]}


def test_open_and_tagged_segments_stay(tmp_path):
    paths = make(tmp_path, [100, 90, 80])
    writer = Channel(str(tmp_path), rows_start("n/open"))
    writer.append(body(0), 10, 5)
    tags.add(str(tmp_path), "mine", (NOW + 1) * SECOND, (NOW + 1) * SECOND + 1, ["n/rig"])
    kept = {s.stem for s in layout.segments(str(tmp_path / "tags/mine"))}
    assert {os.path.basename(paths[1]).removesuffix(".avro")} <= kept
    gone = sweep(Keeper(str(tmp_path), age=1, quota=0, min_free=1 << 60))
    assert gone and not {os.path.basename(path).removesuffix(".avro") for path in gone} & kept
    assert [s.open for s in layout.segments(str(tmp_path)) if s.channel == "n/open"] == [True]
    tags.remove(str(tmp_path), "mine")
    sweep(Keeper(str(tmp_path), quota=0))
    assert [s.channel for s in layout.segments(str(tmp_path))] == ["n/open"]
    writer.close()


def jumped(tmp_path, wall, n=40):
    """Segments a few seconds old, and a keeper that has seen them before the clock jumps."""
    make(tmp_path, [k % 10 for k in range(n)])
    keeper = Keeper(str(tmp_path), age=30)
    assert sweep(keeper) == []
    return keeper


def test_a_jump_deletes_at_most_a_tenth_a_minute(tmp_path):
    for wall in (3600, 365 * 86400, 12 * 365 * 86400):
        cache = tmp_path / str(wall)
        keeper = jumped(cache, wall)
        assert sweep(keeper, 1, wall) == []
        gone = sum(len(sweep(keeper, 1 + s, wall)) for s in range(1, 61))
        assert 1 <= gone <= 4
        gone += sum(len(sweep(keeper, 61 + s, wall)) for s in range(1, 61))
        assert 5 <= gone <= 8
        for minute in range(3, 15):
            sweep(keeper, 60 * minute, wall)
        assert left(cache) == []  # in the end the new clock is right


def test_a_clock_set_back_deletes_nothing(tmp_path):
    for wall in (-3600, -365 * 86400, -NOW):
        keeper = jumped(tmp_path / str(wall), wall)
        assert all(sweep(keeper, s, wall) == [] for s in range(1, 600, 10))


def test_a_jump_before_the_start_is_a_jump_too(tmp_path):
    make(tmp_path, [86400 * 9] * 20)
    keeper = Keeper(str(tmp_path), age=86400)
    assert len(sweep(keeper)) == 0 and len(sweep(keeper, 60)) == 2


def test_after_a_jump_new_segments_age_as_ever(tmp_path):
    keeper = jumped(tmp_path, 3600, 10)
    sweep(keeper, 1, 3600)
    fresh = make(tmp_path, [-3600] * 5, "n/new")  # written after it, by the new clock
    gone = sweep(keeper, 32, 3600)
    assert set(fresh) <= set(gone) and len(gone) - len(fresh) <= 1


def test_a_small_jump_is_none(tmp_path):
    paths = make(tmp_path, [10, 5])
    keeper = Keeper(str(tmp_path), age=30)
    sweep(keeper)
    assert sweep(keeper, 1, 50) == paths
