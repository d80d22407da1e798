"""Replay of recordings: raw, SigMF, WAV, pipes; pace, loops, gaps, damage."""

import json
import os
import struct
import tarfile
import threading
import time

import numpy as np
import pytest

from sptools import instant
from sptools.drivers.file import file
from sptools.errors import BadData, NoInput, Usage

SAMPLES = np.random.default_rng(1).integers(0, 256, 2 * 400_000, dtype=np.uint8)
TIME = "2026-05-01T14:00:00Z"
T0 = instant.parse(TIME)


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "x.cu8"
    SAMPLES.tofile(path)
    return str(path)


def everything(receiver):
    chunks = []
    while (chunk := receiver.read()) is not None:
        chunks.append(chunk)
    return chunks


def joined(chunks):
    return np.concatenate([c.data for c in chunks])


def test_flat_out_gives_every_byte_in_large_chunks(raw):
    receiver = file(raw, rate=1e6, freq=99.7e6, pace=0.0)
    chunks = everything(receiver)
    assert np.array_equal(joined(chunks), SAMPLES)
    assert [len(c.data) for c in chunks[:-1]] == [1 << 18] * (len(chunks) - 1)
    assert [c.sample for c in chunks] == [i << 17 for i in range(len(chunks))]
    assert not receiver.live and receiver.datatype == "cu8" and chunks[0].freq == 99.7e6


def test_pace_is_that_of_the_clock(raw):
    receiver = file(raw, rate=400e3)
    assert receiver.live
    begin = time.monotonic()
    chunks = everything(receiver)
    assert time.monotonic() - begin == pytest.approx(1.0, rel=0.01)
    assert max(len(c.data) for c in chunks) <= 2 * 0.02 * 400e3
    assert np.array_equal(joined(chunks), SAMPLES)
    begin = time.monotonic()
    everything(file(raw, rate=1e6, pace=2.0))
    assert time.monotonic() - begin == pytest.approx(0.2, rel=0.05)


def test_loop_counts_on(raw):
    chunks = everything(file(raw, rate=1e6, pace=0.0, loop="3", start=T0))
    assert np.array_equal(joined(chunks), np.tile(SAMPLES, 3))
    assert chunks[-1].sample + len(chunks[-1].data) // 2 == 1_200_000
    assert all(c.time == T0 + c.sample * 1000 for c in chunks)
    for_ever = file(raw, rate=1e6, pace=0.0, loop="true")
    assert sum(len(for_ever.read().data) for _ in range(50)) > 5 * len(SAMPLES)
    with pytest.raises(Usage, match="loop=0"):
        file(raw, rate=1e6, loop="0")


@pytest.mark.parametrize("name,datatype,stored", [
    ("x.cs16", "ci16_le", "<i2"), ("x.ci8", "ci8", "i1"), ("x.cf32", "cf32_le", "<f4"), ("x.ci16_le", "ci16_le", "<i2"),
])  # fmt: skip
def test_the_suffix_tells_the_datatype(tmp_path, name, datatype, stored):
    values = np.arange(-50, 50).astype(stored)
    values.tofile(tmp_path / name)
    receiver = file(str(tmp_path / name), rate=1e6, pace=0.0)
    assert receiver.datatype == datatype
    assert np.array_equal(joined(everything(receiver)).view(stored), values)


def test_a_datatype_may_be_told(tmp_path):
    SAMPLES[:100].tofile(tmp_path / "night.iq")
    assert file(str(tmp_path / "night.iq"), datatype="cs8", rate=1e6).datatype == "ci8"
    with pytest.raises(Usage, match="cu8:"):
        file(str(tmp_path / "night.iq"), rate=1e6)
    with pytest.raises(Usage, match="not a type"):
        file(str(tmp_path / "night.iq"), datatype="u7", rate=1e6)


def test_what_is_missing_is_named(tmp_path, raw):
    with pytest.raises(Usage, match=r"rate=2\.4M"):
        file(raw)
    with pytest.raises(NoInput, match="no such file"):
        file(str(tmp_path / "none.cu8"))
    with pytest.raises(NoInput, match="no such file"):
        file(str(tmp_path / "none.iq"))
    (tmp_path / "empty.cu8").write_bytes(b"")
    with pytest.raises(NoInput, match="no samples"):
        file(str(tmp_path / "empty.cu8"), rate=1e6)
    with pytest.raises(Usage, match="folder"):
        file(str(tmp_path), datatype="cu8", rate=1e6)
    with pytest.raises(Usage, match="recording"):
        file(raw, rate=1e6).set(freq=1e6)


@pytest.mark.parametrize("pace", [0.0, 100.0])
def test_half_a_sample_at_the_end_is_reported_after_the_good_part(tmp_path, pace):
    SAMPLES[:100_003].tofile(tmp_path / "cut.cu8")
    receiver = file(str(tmp_path / "cut.cu8"), rate=1e6, pace=pace)
    good = []
    with pytest.raises(BadData, match=r"last 1 byte"):
        while chunk := receiver.read():
            good.append(chunk)
    assert np.array_equal(joined(good), SAMPLES[:100_002])


def recording(folder, data, captures, **facts):
    meta = {"global": {"core:datatype": "cu8", "core:sample_rate": 1e6, "core:version": "1.2.0"} | facts, "captures": captures}
    meta["annotations"] = []
    (folder / "r.sigmf-meta").write_text(json.dumps(meta))
    data.tofile(folder / "r.sigmf-data")
    return str(folder / "r.sigmf-meta")


def test_sigmf_tells_retunes_gaps_and_time(tmp_path):
    path = recording(tmp_path, SAMPLES, [
        {"core:sample_start": 0, "core:frequency": 100e6, "core:datetime": TIME, "core:global_index": 5000},
        {"core:sample_start": 1000, "core:frequency": 101e6, "core:global_index": 7000},
        {"core:sample_start": 3000, "core:datetime": "2026-05-01T14:01:00.5Z"},
    ])  # fmt: skip
    for name in (path, path.replace("-meta", "-data")):
        receiver = file(name, pace=0.0)
        chunks = everything(receiver)
        assert receiver.rate == 1e6
        assert np.array_equal(joined(chunks), SAMPLES)
        assert [c.sample for c in chunks[:3]] == [5000, 7000, 9000]
        assert [c.freq for c in chunks[:3]] == [100e6, 101e6, 101e6]
        assert [c.time for c in chunks[:3]] == [T0, T0 + 2_000_000, T0 + 60_500_000_000]
    twice = everything(file(path, pace=0.0, loop="2"))
    assert twice[len(chunks)].sample == 9000 + 397_000
    assert twice[len(chunks)].time == T0 + 60_500_000_000 + 397_000_000


def test_sigmf_header_and_trailing_bytes_are_no_samples(tmp_path):
    data = np.concatenate([np.full(16, 255, np.uint8), SAMPLES[:200], np.full(6, 254, np.uint8)])
    path = recording(tmp_path, data, [{"core:sample_start": 0, "core:header_bytes": 16}], **{"core:trailing_bytes": 6})
    assert np.array_equal(joined(everything(file(path, pace=0.0))), SAMPLES[:200])


def test_a_sigmf_archive_is_read_in_place(tmp_path):
    recording(tmp_path, SAMPLES[:1000], [{"core:sample_start": 0, "core:frequency": 5e6}])
    with tarfile.open(tmp_path / "r.sigmf", "w") as archive:
        archive.add(tmp_path / "r.sigmf-meta", "r/r.sigmf-meta")
        archive.add(tmp_path / "r.sigmf-data", "r/r.sigmf-data")
    chunks = everything(file(str(tmp_path / "r.sigmf"), pace=0.0))
    assert np.array_equal(joined(chunks), SAMPLES[:1000]) and chunks[0].freq == 5e6


def test_big_endian_samples_are_turned(tmp_path):
    values = np.arange(-100, 100).astype(">i2")
    path = recording(tmp_path, values, [], **{"core:datatype": "ci16_be"})
    receiver = file(path, pace=0.0)
    assert receiver.datatype == "ci16_le"
    assert np.array_equal(joined(everything(receiver)).view("<i2"), values)


@pytest.mark.parametrize("facts,captures,error", [
    ({"core:datatype": "rf32_le"}, [], Usage),
    ({"core:num_channels": 2}, [], Usage),
    ({"core:dataset": "../secret"}, [], BadData),
    ({"core:metadata_only": True}, [], NoInput),
    ({"core:sample_rate": "fast"}, [], BadData),
    ({}, [{"core:sample_start": -1}], BadData),
    ({}, [{"core:sample_start": 0, "core:datetime": "yesterday"}], BadData),
    ({}, [{"core:sample_start": 0}, {"core:sample_start": 9, "core:global_index": 3}], BadData),
    ({}, [5], BadData),
])  # fmt: skip
def test_bad_metadata_is_refused(tmp_path, facts, captures, error):
    with pytest.raises(error):
        file(recording(tmp_path, SAMPLES[:100], captures, **facts), pace=0.0)


def test_metadata_that_is_no_metadata_is_refused(tmp_path):
    path = tmp_path / "r.sigmf-meta"
    for text in ("", "[1", "[]", '{"global": 3}', "[" * 100_000):
        path.write_text(text)
        with pytest.raises(BadData):
            file(str(path))


def test_a_recording_is_not_relabelled(tmp_path):
    path = recording(tmp_path, SAMPLES[:100], [{"core:sample_start": 0, "core:frequency": 1e8}])
    with pytest.raises(Usage, match="recorded with freq=100M: it cannot be played with 200M"):
        file(path, freq=2e8)
    with pytest.raises(Usage, match="recorded with rate"):
        file(path, rate=2e6)
    assert file(path, rate=1e6, freq=1e8).freq == 1e8


def wav(path, form, bits, channels, data, length=None):
    head = struct.pack("<HHIIHH", form, channels, 1_000_000, 0, 0, bits)
    size = len(data) if length is None else length
    path.write_bytes(
        b"RIFF\0\0\0\0WAVE" + b"auxi" + struct.pack("<I", 3) + b"odd\0" + b"fmt " + struct.pack("<I", 16) + head
        + b"data" + struct.pack("<I", size) + data + (b"LIST\4\0\0\0tail" if length is None else b"")
    )  # fmt: skip
    return str(path)


@pytest.mark.parametrize("form,bits,datatype", [(1, 8, "cu8"), (1, 16, "ci16_le"), (3, 32, "cf32_le")])
@pytest.mark.parametrize("length", [None, 0xFFFFFFFF])
def test_a_wav_header_is_never_sent(tmp_path, form, bits, datatype, length):
    receiver = file(wav(tmp_path / "x.wav", form, bits, 2, SAMPLES[:8000].tobytes(), length), pace=0.0)
    assert receiver.datatype == datatype and receiver.rate == 1e6
    assert np.array_equal(joined(everything(receiver)), SAMPLES[:8000])


def test_a_wav_without_iq_is_refused(tmp_path):
    with pytest.raises(Usage, match=r"sim:fm,audio="):
        file(wav(tmp_path / "x.wav", 1, 16, 1, b"\0" * 100))
    with pytest.raises(Usage, match="24-bit"):
        file(wav(tmp_path / "y.wav", 1, 24, 2, b"\0" * 100))
    (tmp_path / "z.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    with pytest.raises(BadData):
        file(str(tmp_path / "z.wav"))


@pytest.fixture
def fifo(tmp_path):
    """A FIFO and a function that writes pieces into it, with pauses."""
    path = str(tmp_path / "pipe")
    os.mkfifo(path)

    def write(*pieces):
        def run():
            with open(path, "wb", buffering=0) as out:
                for piece in pieces:
                    out.write(piece)
                    time.sleep(0.02)

        threading.Thread(target=run, daemon=True).start()

    return path, write


def test_a_pipe_is_played_as_it_comes(fifo):
    path, write = fifo
    write(SAMPLES[:5].tobytes(), SAMPLES[5:6].tobytes(), SAMPLES[6:30_001].tobytes(), SAMPLES[30_001:90_000].tobytes())
    receiver = file(path, datatype="cu8", rate=1e6)
    assert not receiver.live
    chunks = everything(receiver)
    assert np.array_equal(joined(chunks), SAMPLES[:90_000])
    assert all(len(c.data) % 2 == 0 for c in chunks)


def test_a_silent_pipe_gives_empty_chunks(fifo):
    path, _ = fifo
    keep = os.open(path, os.O_RDWR)
    receiver = file(path, datatype="cu8", rate=1e6)
    begin = time.monotonic()
    assert len(receiver.read().data) == 0
    assert time.monotonic() - begin < 1
    os.close(keep)


def test_a_pipe_may_end_with_nothing_or_half_a_sample(fifo):
    path, write = fifo
    write(b"abc")
    receiver = file(path, datatype="cu8", rate=1e6)
    with pytest.raises(BadData, match="1 byte"):
        everything(receiver)
    receiver.close()  # else the next writer finds a reader already, and has gone when the next one opens
    write()
    receiver = file(path, datatype="cu8", rate=1e6)
    with pytest.raises(NoInput):
        everything(receiver)
    receiver.close()
    write()
    with pytest.raises(Usage, match="once only"):
        file(path, datatype="cu8", rate=1e6, loop="2")
