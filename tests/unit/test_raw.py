"""Raw samples: what has no header must be told, and conversions keep full scale full scale."""

import numpy as np
import pytest
from format_io import EPOCH, blocks, get, joined, piped, put, samples

from sptools import registry
from sptools.errors import BadData, NoInput, Usage
from sptools.formats import cf32_le, ci8, ci16_le, cu8, rf32_le, ri16_le
from sptools.formats._convert import SCALE, convert, level_dBFS, silence
from sptools.record import IQ, Audio, Start, component

IQ_FORMATS = {"cu8": cu8, "ci8": ci8, "ci16_le": ci16_le, "cf32_le": cf32_le}
FORMATS = IQ_FORMATS | {"ri16_le": ri16_le, "rf32_le": rf32_le}


@pytest.mark.parametrize("name", FORMATS)
def test_round_trip(tmp_path, name):
    items = blocks([200_000, 1, 999], name, 1e6)
    put(FORMATS[name], tmp_path / "x", items)
    assert (tmp_path / "x").read_bytes() == joined(items).tobytes()
    more = {"freq": 99.7e6} if name in IQ_FORMATS else {"channels": 1}
    found, problem = get(FORMATS[name], tmp_path / "x", rate=1e6, start=EPOCH, **more)
    assert problem is None and isinstance(found[0], Start) and found[0].name == type(items[1]).__name__
    assert joined(found).tobytes() == joined(items).tobytes()
    assert {type(b) for b in found[1:]} == {IQ if name in IQ_FORMATS else Audio}
    at = 0
    for block in found[1:]:
        assert (block.sample, block.time, block.rate, block.datatype) == (at, EPOCH + at * 1000, 1e6, name)
        assert block.freq == more.get("freq", 0.0) and len(block.data) <= 1 << 18
        at += block.count


def test_the_rate_must_be_said(tmp_path):
    (tmp_path / "x.cu8").write_bytes(bytes(10))
    found, problem = get(cu8, tmp_path / "x.cu8")
    assert not found and isinstance(problem, Usage) and "rate=" in str(problem)


@pytest.mark.parametrize("name", FORMATS)
def test_a_tail_inside_a_sample(tmp_path, name):
    size = component(name).itemsize * (2 if name[0] == "c" else 1)
    if size == 1:
        return
    (tmp_path / "x").write_bytes(joined(blocks([200_000], name)).tobytes() + b"\1" * (size - 1))
    found, problem = get(FORMATS[name], tmp_path / "x", rate=1e6)
    assert sum(b.count for b in found[1:]) == 200_000
    assert isinstance(problem, BadData) and f"last {size - 1} bytes" in str(problem)


def test_less_than_a_sample(tmp_path):
    (tmp_path / "x").write_bytes(b"1")
    found, problem = get(cu8, tmp_path / "x", rate=1e6)
    assert len(found) == 1 and isinstance(problem, BadData)
    (tmp_path / "x").write_bytes(b"")
    found, problem = get(cu8, tmp_path / "x", rate=1e6)
    assert not found and isinstance(problem, NoInput)


def test_channels_and_their_limit(tmp_path):
    items = blocks([1000], "ri16_le", 8000.0, channels=3)
    put(ri16_le, tmp_path / "x", items)
    found, _ = get(ri16_le, tmp_path / "x", rate=8000.0, channels=3)
    assert found[1].count == 1000 and found[1].channels == 3
    assert isinstance(get(ri16_le, tmp_path / "x", rate=8000.0, channels=0)[1], Usage)


def test_from_a_pipe_in_any_pieces_with_the_time_of_arrival(tmp_path):
    data = joined(blocks([100_001], "ci16_le")).tobytes()
    found = piped(tmp_path, lambda source: list(ci16_le.read(source, rate=1e6)), data)
    assert joined(found).tobytes() == data
    import time

    assert abs(found[1].time - time.time_ns()) < 60e9
    assert [b.time - found[1].time for b in found[1:]] == [b.sample * 1000 for b in found[1:]]


def test_a_file_counts_from_1970(tmp_path):
    (tmp_path / "x").write_bytes(bytes(8))
    assert get(cu8, tmp_path / "x", rate=1e6)[0][1].time == 0


def test_gaps(tmp_path):
    items = blocks([10, 10], "cu8", skip={1: 5})
    assert put(cu8, tmp_path / "a", items).notes == {"not_shown": 5}
    assert put(cu8, tmp_path / "b", items, fill="zero").notes == {"filled": 5}
    data = (tmp_path / "b").read_bytes()
    assert data[20:30] == bytes([128]) * 10 and len(data) == 50
    retuned = blocks([10, 10])
    retuned[2].freq += 1e6
    assert put(cu8, tmp_path / "c", retuned).notes == {"retunes": 1}


@pytest.mark.parametrize("want", IQ_FORMATS)
@pytest.mark.parametrize("have", IQ_FORMATS)
def test_conversions_keep_the_signal(tmp_path, have, want):
    """Each value within half a step of the coarser datatype, full scale stays full scale."""
    items = blocks([5000], have)
    put(IQ_FORMATS[want], tmp_path / "x", items)
    got = np.fromfile(tmp_path / "x", component(want)).astype(float)

    def volts(x, name):
        zero, full = SCALE[name[1:]]
        return (x.astype(float) - zero) / full

    expected = volts(joined(items), have)
    lowest, highest = (
        (-1, 1) if want == "cf32_le" else volts(np.array([np.iinfo(component(want)).min, np.iinfo(component(want)).max]), want)
    )
    step = 0 if want == "cf32_le" else 1 / SCALE[want[1:]][1]
    assert np.abs(volts(got, want) - np.clip(expected, lowest, highest)).max() <= step / 2 + 1e-6


def test_conversion_clips_and_survives_what_is_no_number():
    x = np.array([2.0, -2.0, np.nan, np.inf, -np.inf, 0.0], np.float32)
    assert convert(x, "rf32_le", "ri16_le").tolist() == [32767, -32768, 0, 32767, -32768, 0]
    assert convert(x, "rf32_le", "ru8").tolist() == [255, 0, 128, 255, 0, 128]
    same = samples(10, "cu8")
    assert convert(same, "cu8", "cu8") is same


@pytest.mark.parametrize("name", [k + v for k in "cr" for v in SCALE])
def test_silence_and_level(name):
    zero, full = SCALE[name[1:]]
    assert np.abs(silence(name, 10).astype(float) - zero).max() <= 0.5
    tone = np.exp(2j * np.pi * np.arange(1000) / 20).view(float) * full + zero
    dtype = component(name)
    if dtype.kind != "f":
        tone = np.clip(np.rint(tone), np.iinfo(dtype).min, np.iinfo(dtype).max)
    assert abs(level_dBFS(tone.astype(dtype), name)) < 0.05


def test_audio_is_not_iq(tmp_path):
    with pytest.raises(BadData, match="rf32_le"):
        put(cf32_le, tmp_path / "x", blocks([10], "ri16_le"))
    with pytest.raises(BadData, match="ci16_le"):
        put(ri16_le, tmp_path / "x", blocks([10], "cu8"))


def test_they_are_found_by_name():
    assert set(FORMATS) <= set(registry.names("formats"))
