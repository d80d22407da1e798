"""WAV against the standard library's reader, and its own promises: sizes, gaps, damage."""

import io
import os
import struct
import wave

import numpy as np
import pytest
from format_io import blocks, get, joined, piped, put, samples

from sptools.errors import BadData, NoInput, Usage
from sptools.formats import _riff, wav
from sptools.record import IQ, Audio, Message, Start
from sptools.transports.file import Output

DATA = os.path.join(os.path.dirname(__file__), "..", "data")


def stdlib(data):
    with wave.open(io.BytesIO(data) if isinstance(data, bytes) else str(data)) as f:
        return f.getnchannels(), f.getsampwidth(), f.getframerate(), f.readframes(f.getnframes())


@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_is_what_others_read(tmp_path, channels):
    items = blocks([1000, 333], "ri16_le", 48000.0, 0.0, channels=channels)
    sink = put(wav, tmp_path / "x.wav", items)
    assert sink.notes == {}
    assert stdlib(tmp_path / "x.wav") == (channels, 2, 48000, joined(items).tobytes())
    size = (tmp_path / "x.wav").stat().st_size
    assert struct.unpack("<I", (tmp_path / "x.wav").read_bytes()[4:8])[0] == size - 8


@pytest.mark.parametrize("datatype", ["ru8", "ri16_le", "ri32_le", "rf32_le", "rf64_le", "cu8", "ci16_le", "cf32_le"])
def test_round_trip(tmp_path, datatype):
    items = blocks([70_000, 7], datatype, 48000.0, channels=1 if datatype[0] == "c" else 3)
    put(wav, tmp_path / "x.wav", items)
    found, problem = get(wav, tmp_path / "x.wav", iq=datatype[0] == "c", freq=99.7e6)
    assert problem is None and isinstance(found[0], Start)
    assert joined(found).tobytes() == joined(items).tobytes()
    assert {(b.datatype, b.rate, b.channels, b.freq) for b in found[1:]} == {(datatype, 48000.0, items[1].channels, 99.7e6)}
    assert all(type(b) is (IQ if datatype[0] == "c" else Audio) for b in found[1:])
    assert [b.sample for b in found[1:]] == np.cumsum([0] + [b.count for b in found[1:-1]]).tolist()


def test_signed_8_bit_IQ_becomes_unsigned(tmp_path):
    items = blocks([256], "ci8", 48000.0)
    put(wav, tmp_path / "x.wav", items)
    found, _ = get(wav, tmp_path / "x.wav", iq=True)
    assert np.abs(joined(found) / 127.5 - 1 - joined(items) / 128).max() < 0.006


def test_a_pipe_gets_unknown_sizes_and_is_read_back(tmp_path):
    items = blocks([50_000, 1001], "ri16_le", 48000.0)

    def write(output):
        sink = wav.write(output)
        for item in items:
            sink.put(item)
        sink.close(True)

    data = piped(tmp_path, write=write)
    assert data[4:8] == data[40:44] == b"\xff" * 4 and len(data) == 44 + 2 * 51_001
    found = piped(tmp_path, lambda source: list(wav.read(source)), data)
    assert joined(found).tobytes() == joined(items).tobytes()


def test_an_odd_number_of_bytes_is_padded(tmp_path):
    put(wav, tmp_path / "x.wav", blocks([101], "ru8", 8000.0))
    data = (tmp_path / "x.wav").read_bytes()
    assert len(data) % 2 == 0 and struct.unpack("<I", data[4:8])[0] == len(data) - 8
    found, problem = get(wav, tmp_path / "x.wav")
    assert problem is None and found[1].count == 101


def test_nothing_written_is_still_a_wav(tmp_path):
    put(wav, tmp_path / "x.wav", [])
    assert stdlib(tmp_path / "x.wav")[3] == b""


def test_beyond_4_GiB_the_header_is_rf64():
    size = 5 << 30
    data = _riff.header(_riff.PCM, 2, 48000, 16, size, room=True)
    plain = _riff.header(_riff.PCM, 2, 48000, 16, 1000, room=True)
    assert data[:4] == b"RF64" and len(data) == len(plain) and plain[12:16] == b"JUNK"
    assert struct.unpack("<Q", data[20:28])[0] == len(data) - 8 + size
    layout = _riff.read_header(io.BytesIO(data).read, "x")
    assert (layout.length, layout.rate, layout.channels, layout.sure) == (size, 48000, 2, True)
    assert _riff.read_header(io.BytesIO(plain).read, "x").length == 1000


def test_a_file_that_grew_beyond_4_GiB_is_rf64(tmp_path):
    sink = wav.write(Output(str(tmp_path / "x.wav")))
    sink.put(blocks([100], "ri16_le", 48000.0)[1])
    sink.written += 1 << 32  # as if so much had been written
    sink.close(True)
    assert (tmp_path / "x.wav").read_bytes()[:4] == b"RF64"
    found, problem = get(wav, tmp_path / "x.wav")
    assert found[1].count == 100 and "200 of 4,294,967,496 bytes" in str(problem)


def test_the_last_size_that_riff_can_say():
    for size, form in ((0xFFFFFFFF - 80 - 2, b"RIFF"), (0xFFFFFFFF, b"RF64")):
        assert _riff.header(_riff.PCM, 1, 48000, 16, size & ~1, room=True)[:4] == form


def test_24_bits_keep_their_value():
    values = np.array([0, 1, -1, 2**23 - 1, -(2**23)], np.int32)
    packed = values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    assert (wav.widen(np.frombuffer(packed, np.uint8)) == values * 256).all()


def chunk(key, data):
    return key + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def riff(*chunks, size=None):
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def fmt(tag=1, channels=1, rate=8000, bits=16, extra=b""):
    align = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * align, align, bits) + extra)


PCM = np.arange(100, dtype="<i2").tobytes()


@pytest.mark.parametrize(
    "data",
    [
        riff(chunk(b"LIST", b"odd"), fmt(), chunk(b"fact", b"1234"), chunk(b"data", PCM), chunk(b"id3 ", b"tail")),
        riff(fmt(0xFFFE, extra=struct.pack("<HHIH", 22, 16, 0, 1) + bytes(14)), chunk(b"data", PCM)),
        riff(fmt(), b"data\xff\xff\xff\xff" + PCM, size=0xFFFFFFFF),
        riff(fmt(), b"data\0\0\0\0" + PCM, size=0),
        riff(fmt(), struct.pack("<4sI", b"data", 0x7FFFF7DC) + PCM, size=0x7FFFF800),
    ],
    ids=["chunks", "extensible", "unknown", "zero", "sox"],
)
def test_headers_of_others(tmp_path, data):
    (tmp_path / "x.wav").write_bytes(data)
    found, problem = get(wav, tmp_path / "x.wav", start=10**18)
    assert problem is None and joined(found).tobytes() == PCM
    assert (found[1].rate, found[1].datatype, found[1].time) == (8000.0, "ri16_le", 10**18)


@pytest.mark.parametrize(
    "data, says",
    [
        (b"ID3\x04" + bytes(40), "not a WAV"),
        (b"RIFF", "not a WAV"),
        (riff(fmt())[:30], "ends inside its header"),
        (riff(fmt()), "ends inside its header"),
        (riff(chunk(b"data", PCM)), "before fmt"),
        (riff(fmt(tag=2, bits=4), chunk(b"data", PCM)), "coding 2"),
        (riff(fmt(rate=0), chunk(b"data", PCM)), "cannot be"),
        (riff(fmt(channels=0), chunk(b"data", PCM)), "cannot be"),
        (riff(b"fmt \xff\xff\xff\xff", chunk(b"data", PCM)), "fmt chunk"),
        (riff(b"JUNK\xff\xff\xff\xff", fmt()), "come before"),
    ],
)
def test_bad_headers(tmp_path, data, says):
    (tmp_path / "x.wav").write_bytes(data)
    found, problem = get(wav, tmp_path / "x.wav")
    assert not found and isinstance(problem, BadData) and says in str(problem)


def test_a_cut_file_gives_its_samples_first(tmp_path):
    put(wav, tmp_path / "x.wav", blocks([200_000], "ri16_le", 48000.0))
    whole = (tmp_path / "x.wav").read_bytes()
    (tmp_path / "x.wav").write_bytes(whole[:-100_000])
    found, problem = get(wav, tmp_path / "x.wav")
    assert joined(found).size == 150_000 and isinstance(problem, BadData) and "cut short" in str(problem)
    (tmp_path / "x.wav").write_bytes(whole[:-100_001])
    found, problem = get(wav, tmp_path / "x.wav")
    assert joined(found).size == 149_999 and isinstance(problem, BadData) and "inside a sample" in str(problem)


def test_real_programme_audio():
    found, problem = get(wav, os.path.join(DATA, "mock_audio.wav"))
    channels, width, rate, data = stdlib(os.path.join(DATA, "mock_audio.wav"))
    assert problem is None and (channels, width, rate) == (1, 2, found[1].rate)
    assert joined(found).tobytes() == data


def test_gaps_are_counted_or_filled(tmp_path):
    items = blocks([100, 100], "ri16_le", 48000.0, skip={1: 50})
    assert put(wav, tmp_path / "a.wav", items).notes == {"not_shown": 50}
    assert len(stdlib(tmp_path / "a.wav")[3]) == 400
    assert put(wav, tmp_path / "b.wav", items, fill="zero").notes == {"filled": 50}
    data = stdlib(tmp_path / "b.wav")[3]
    assert len(data) == 500 and data[200:300] == bytes(100)
    far = blocks([100, 100], "ri16_le", 48000.0, skip={1: 48000 * 3601})
    assert put(wav, tmp_path / "c.wav", far, fill="zero").notes == {"not_shown": 48000 * 3601}


def test_no_gap_between_two_sources(tmp_path):
    """`cat a.avro b.avro`: the second begins anew at sample 0, or somewhere else."""
    items = blocks([100], "ri16_le", 48000.0) + blocks([100], "ri16_le", 48000.0, skip={0: 7777}, boot=b"another.")
    assert put(wav, tmp_path / "x.wav", items).notes == {}
    assert len(stdlib(tmp_path / "x.wav")[3]) == 400


def test_what_a_wav_cannot_hold(tmp_path):
    first = blocks([100], "ri16_le", 48000.0)
    message = Message(0, 0, 0.0, 0.0, "adsb", "", "crc")
    other = blocks([10], "ri16_le", 48000.0)
    other[0].channel = "site/y"
    for items, error in (
        (first + blocks([10], "ri16_le", 44100.0), BadData),
        (first + blocks([10], "ri16_le", 48000.0, channels=2), BadData),
        (first + blocks([10], "cu8", 48000.0), BadData),
        ([message], BadData),
        (first + other, Usage),
    ):
        with pytest.raises(error):
            put(wav, tmp_path / "x.wav", items)
    # another datatype of the same kind is converted
    put(wav, tmp_path / "y.wav", first + blocks([10], "rf32_le", 48000.0))
    assert len(stdlib(tmp_path / "y.wav")[3]) == 220


def test_stdout_that_is_a_file_gets_its_sizes_but_not_one_that_is_appended_to(tmp_path):
    code = (
        "from sptools.formats import wav; from sptools.transports.file import Output; from sptools.record import Audio\n"
        "s = wav.write(Output('-')); s.put(Audio(0, 0, 8000.0, datatype='ri16_le', data=bytes(200))); s.close(True)"
    )
    import subprocess
    import sys

    (tmp_path / "x").write_bytes(b"before")
    for mode in ("r+b", "ab"):
        with open(tmp_path / "x", mode) as f:
            f.seek(0, os.SEEK_END)
            subprocess.run([sys.executable, "-c", code], stdout=f, check=True)
        data = (tmp_path / "x").read_bytes()
        assert data[:10] == b"beforeRIFF" and stdlib(data[6:286])[3] == bytes(200)
    assert data[286:294] == b"RIFF\xff\xff\xff\xff"


def test_empty_input(tmp_path):
    (tmp_path / "x.wav").touch()
    found, problem = get(wav, tmp_path / "x.wav")
    assert not found and isinstance(problem, NoInput)
    assert samples(3, "ri16_le").shape == (3,)
