"""The pipelines that the README opens with, and what they must give."""

import io
import json
import os
import re
import select
import subprocess
import time
import wave

import fastavro
import numpy as np
import pytest
from shell import bash, start, status

DATA = os.path.join(os.path.dirname(__file__), "..", "data")


def pcm(path):
    with wave.open(str(path)) as w:
        assert (w.getnchannels(), w.getsampwidth()) == (1, 2)
        return w.getframerate(), np.frombuffer(w.readframes(w.getnframes()), "<i2")


def sinad(x, rate, tone):
    """dB: a tone against the rest of 30 Hz to 15 kHz (Blackman-Harris, tone ± 8 Hz)."""
    x = x[rate : 9 * rate].astype(float)
    n = len(x)
    a = (0.35875, -0.48829, 0.14128, -0.01168)
    w = sum(c * np.cos(2 * np.pi * i * np.arange(n) / n) for i, c in enumerate(a))
    power = abs(np.fft.rfft(x * w)) ** 2
    f = np.arange(len(power)) * rate / n
    at = abs(f - tone) <= max(8.0, 6 * rate / n)
    return 10 * np.log10(power[at].sum() / power[(f > 30) & (f < 15e3) & ~at].sum())


def ok(line, cwd, **how):
    done = bash(line, cwd, **how)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def fm(tmp_path_factory):
    """10 s of the simulated station: x.avro on the way, fm.wav at the end."""
    path = tmp_path_factory.mktemp("fm")
    ok("sp-capture sim:fm,pace=0 --duration 10s | tee x.avro | sp-demod wbfm -o fm.wav", path)
    return path


def test_fm_ten_seconds_to_the_sample_and_clean(fm):
    rate, x = pcm(fm / "fm.wav")
    assert (rate, len(x)) == (48000, 480_000)
    assert sinad(x, rate, 1000) >= 70


def test_the_same_stream_gives_the_same_wav(fm):
    ok("sp-demod wbfm -o again.wav < x.avro", fm)
    assert (fm / "again.wav").read_bytes() == (fm / "fm.wav").read_bytes()


def test_block_size_does_not_matter(fm):
    """The same samples in other blocks: through raw bytes and back, at another block size."""
    ok("sp-cat x.avro --duration 1s -o x.cu8; sp-capture x.cu8,rate=2.4M,freq=100M,pace=200 | sp-demod wbfm -o live.wav;"
       "sp-capture x.cu8,rate=2.4M,freq=100M,pace=0 | sp-demod wbfm -o flat.wav", fm)  # fmt: skip
    assert (fm / "live.wav").read_bytes() == (fm / "flat.wav").read_bytes()


def test_two_streams_in_a_row_are_two_starts(fm):
    done = bash("cat x.avro x.avro | sp-demod wbfm -v -o twice.avro", fm)
    assert done.returncode == 0 and "gaps" not in done.stderr and " lost 0" in done.stderr
    info = json.loads(ok("sp-cat twice.avro --info -j", fm))
    assert info["starts"] == 2 and info["gaps"] == 0 and info["count"] == 960_000


def test_fastavro_reads_it_unaided(fm):
    with open(fm / "x.avro", "rb") as f:
        blocks = list(fastavro.reader(f))
    assert sum(len(b["data"]) // 2 for b in blocks) == 24_000_000
    assert all(b["rate"] == 2.4e6 and b["freq"] == 100e6 and b["datatype"] == "cu8" for b in blocks)
    at = 0
    for b in blocks:
        assert b["sample"] == at
        at += len(b["data"]) // 2


def test_nbfm_off_centre_with_squelch(tmp_path):
    ok("sp-capture sim:nbfm,pace=0 -f 145M -s 1M --duration 6s | sp-demod nbfm -f 145.35M -l 20 -o v.wav", tmp_path)
    rate, x = pcm(tmp_path / "v.wav")
    assert len(x) == 6 * rate
    silent = ~np.array([x[i : i + rate // 10].any() for i in range(0, len(x), rate // 10)])
    assert 0.1 < silent.mean() < 0.9  # there are pauses, and they are digital silence
    heard = np.array([abs(x[i : i + rate // 10].astype(int)).max() for i in range(0, len(x), rate // 10)])
    assert heard.max() > 2000


def test_real_aircraft(tmp_path):
    out = ok(f"sp-capture cu8:{DATA}/adsb-2M-a.cu8,rate=2M,freq=1090M,pace=0 | sp-demod adsb -j", tmp_path)
    messages = [json.loads(line) for line in out.splitlines()]
    assert len(messages) >= 159
    assert all(m["protocol"] and m["valid"] in ("crc", "repaired", "inferred") for m in messages)


def test_simulated_aircraft_in_text(tmp_path):
    out = ok("sp-capture sim:adsb,pace=0 --duration 2s | sp-demod adsb -t", tmp_path)
    assert len(out.splitlines()) > 10


def test_a_gap_stays_a_gap_through_the_pipeline(tmp_path):
    ok("sp-capture sim:fm,pace=0,lose=24000 --duration 3s | tee x.avro | sp-demod wbfm -o a.avro", tmp_path)
    for name, lost in (("x", 24000), ("a", 480)):
        gaps = [json.loads(line) for line in ok(f"sp-cat {name}.avro --gaps -j", tmp_path).splitlines()]
        assert len(gaps) == 2
        assert all(abs(g["lost"] - lost) <= 1 for g in gaps)
    assert "lost" in bash("sp-demod wbfm x.avro -v -o /dev/null", tmp_path).stderr


def test_fill_zero(tmp_path):
    ok("sp-capture sim:fm,pace=0,lose=24000 --duration 3s | sp-demod wbfm --fill zero -o a.avro", tmp_path)
    assert ok("sp-cat a.avro --gaps", tmp_path) == ""


def test_two_stations_get_a_channel_each(tmp_path):
    ok("sp-capture sim:fm,pace=0,adjacent=400k --duration 1s | sp-demod wbfm -f 100M -f 100.4M --name n -o b.avro", tmp_path)
    info = [json.loads(line) for line in ok("sp-cat b.avro --info -j", tmp_path).splitlines()]
    assert [i["channel"] for i in info] == ["n/demod/100000000", "n/demod/100400000"]
    assert all(i["count"] == 48000 and i["starts"] == 1 and i["gaps"] == 0 for i in info)
    done = bash("sp-cat b.avro --channel n/demod/100400000 -o one.wav", tmp_path)
    assert done.returncode == 0 and len(pcm(tmp_path / "one.wav")[1]) == 48000
    done = bash("sp-cat b.avro -o x.wav", tmp_path)
    assert done.returncode == 2 and "channel" in done.stderr
    two = "-f 100M -f 100.4M --name n"
    ok(f"sp-capture sim:fm,pace=0,adjacent=400k --duration 1s | sp-demod raw -r 240k {two} -o b.avro", tmp_path)
    done = bash("sp-psd b.avro", tmp_path)
    assert done.returncode == 2 and "n/demod/100000000, n/demod/100400000" in done.stderr


def test_offset_tuning_is_found_again(tmp_path):
    ok("sp-capture sim:fm,pace=0 -f 100M --offset 250k --duration 2s | tee x.avro | sp-demod wbfm -o fm.wav", tmp_path)
    info = json.loads(ok("sp-cat x.avro --info -j", tmp_path))
    assert info["freq"] == [100.25e6] and info["source"]["freq"] == 100e6
    rate, x = pcm(tmp_path / "fm.wav")
    power = abs(np.fft.rfft(x[rate // 2 :] * np.hanning(len(x) - rate // 2))) ** 2
    assert abs(power[10:].argmax() + 10 - 1000 * (len(x) - rate // 2) / rate) < 3


def test_raw_narrows(tmp_path):
    ok("sp-capture sim:fm,pace=0 --duration 1s | sp-demod raw -r 240k -o n.avro", tmp_path)
    info = json.loads(ok("sp-cat n.avro --info -j", tmp_path))
    assert info["record"] == "IQ" and info["rate"] == [240e3] and info["count"] == 240_000


def test_psd_finds_the_tone(tmp_path):
    ok("sp-capture sim:tone,pace=0,tone=123k -f 100M -s 1M --duration 1s | sp-psd --interval 500ms -j > s.jsonl", tmp_path)
    spectra = [json.loads(line) for line in open(tmp_path / "s.jsonl")]
    assert len(spectra) == 2
    s = spectra[0]
    values = np.array(s["values"])
    peak = s["freq"] + (values.argmax() - len(values) // 2) * s["span"] / len(values)
    assert abs(peak - 100.123e6) <= s["span"] / len(values)


def test_psd_stitches_a_sweep(tmp_path):
    out = ok("sp-capture sim:fm,pace=0 --sweep 96M:104M:2M --dwell 50ms --rounds 1 |"
             "sp-psd --interval 50ms --crop 0.2 --stitch -j", tmp_path)  # fmt: skip
    (s,) = map(json.loads, out.splitlines())
    assert 9.8e6 < s["span"] < 10.1e6


def test_text_spectrum_fits_the_window(tmp_path):
    for width in (60, 132):
        out = ok("sp-capture sim:fm,pace=0 --duration 1s | sp-psd -t", tmp_path, COLUMNS=str(width))
        assert out and all(len(line) <= width for line in out.splitlines())
        assert "\x1b" not in out  # a pipe gets no colours


def test_info(fm):
    text = ok("sp-cat x.avro --info", fm)
    assert re.search(r"record\s+IQ cu8", text) and "24,000,000 samples" in text and "10 s" in text


def test_stats_and_count(tmp_path):
    ok("sp-capture sim:tone,pace=0 -s 1M -n 123456 --stats s.json -o x.cu8", tmp_path)
    assert (tmp_path / "x.cu8").stat().st_size == 2 * 123_456
    stats = json.loads((tmp_path / "s.json").read_text())
    assert stats["lost"] == 0 and stats["samples_in"] >= 123_456


def test_cut_by_time(fm):
    info = json.loads(ok("sp-cat x.avro --last 1.5s --info -j", fm))
    assert info["count"] == 3_600_000


def test_sigmf_there_and_back(tmp_path):
    from sigmf import sigmffile

    ok("sp-capture sim:fm,pace=0,lose=1000 --duration 3s | tee x.avro | sp-cat -o r.sigmf-meta", tmp_path)
    recording = sigmffile.fromfile(str(tmp_path / "r.sigmf-meta"))
    recording.validate()
    assert len(recording.get_captures()) == 3
    ok("sp-capture r.sigmf-meta,pace=0 -o y.avro", tmp_path)
    one, two = (ok(f"sp-cat {n}.avro --gaps -j", tmp_path).splitlines() for n in "xy")
    assert [json.loads(g)["sample"] for g in one] == [json.loads(g)["sample"] for g in two]


def test_wav_to_a_pipe(fm):
    out = subprocess.run(["bash", "-c", "sp-demod wbfm x.avro --duration 1s -o wav:-"], cwd=fm, capture_output=True,
                         env=__import__("shell").ENV)  # fmt: skip
    assert out.returncode == 0 and out.stdout[:4] == b"RIFF" and len(out.stdout) == 44 + 96_000
    with pytest.raises(EOFError):
        wave.open(io.BytesIO(out.stdout[:20]))


# ------------------------------------------------------------ the ring
def test_a_slow_reader_costs_blocks_that_are_counted(tmp_path):
    """The reader sleeps longer than the ring holds: the stream says what is missing, to the sample."""
    line = "sp-capture sim:tone -s 2M --buffer 300ms --stats s.json | (sleep 2; head -c 20000000) > x.avro"
    p = start("bash", "-c", line, cwd=tmp_path)
    p.communicate(timeout=30)
    gaps = [json.loads(g) for g in bash("sp-cat x.avro --gaps -j", tmp_path).stdout.splitlines()]
    stats = json.loads((tmp_path / "s.json").read_text())
    assert gaps and sum(g["lost"] for g in gaps) > 1e6
    assert stats["lost"] >= sum(g["lost"] for g in gaps)


def test_antenna_to_ear_is_short():
    """A paced block in → an audio sample out: well under 150 ms, here with room for a busy machine."""
    p = start("bash", "-c", "sp-capture sim:fm | sp-demod wbfm")
    late = []
    reader = fastavro.reader(Pipe(p.stdout.fileno()))
    for block in reader:
        end = block["time"].timestamp() if hasattr(block["time"], "timestamp") else block["time"] / 1e9
        end += len(block["data"]) / 2 / block["rate"]
        late.append(time.time() - end)
        if len(late) > 100:
            break
    p.kill()
    p.wait()
    assert sorted(late)[len(late) // 2] < 0.3


class Pipe:
    """Reads at once what is there, as a player does."""

    def __init__(self, fd):
        self.fd, self.held = fd, b""

    def read(self, n=-1):
        while len(self.held) < n:
            select.select([self.fd], [], [])
            more = os.read(self.fd, 1 << 16)
            if not more:
                break
            self.held += more
        out, self.held = self.held[:n], self.held[n:]
        return out


# ------------------------------------------------------------ damage
def test_a_truncated_file_gives_its_good_part_and_65(fm):
    size = os.path.getsize(fm / "x.avro")
    done = bash(f"head -c {size // 2} x.avro | sp-demod wbfm -o half.wav", fm)
    assert done.returncode == 65 and "Traceback" not in done.stderr
    assert 200_000 < len(pcm(fm / "half.wav")[1]) < 240_000


@pytest.mark.parametrize("where", ["header", "framing", "sync"])
def test_a_flip_costs_at_most_one_block(where, fm, tmp_path):
    data = bytearray((fm / "x.avro").read_bytes()[:2_000_000])
    sync = data[data.index(b"\0", 4) : 4]
    at = {"header": 10, "framing": data.index(b"cu8", 2000) - 60, "sync": None}[where]
    if at is None:
        first = data.index(b"cu8")
        at = first + 262_144 + 10
    data[at] ^= 0x40
    (tmp_path / "bad.avro").write_bytes(data)
    codes, text = status("cat bad.avro x2.avro 2>/dev/null | sp-cat -v -o good.avro", tmp_path)
    assert codes[1] in (0, 65) and "Traceback" not in text, (sync, text)
    if where == "header":
        assert codes[1] == 65
