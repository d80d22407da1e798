"""sp-capture on a dongle: the whole command, on the fake librtlsdr."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rig

CAPTURE = str(Path(sys.executable).with_name("sp-capture"))
RATE = 2_400_000


def capture(dongle, *args, **fake):
    return subprocess.run([CAPTURE, *args], env=rig.environment(dongle, **fake), capture_output=True, timeout=30)


def last_line(stderr):
    return stderr.decode().splitlines()[-1]


def test_bytes_are_the_dongles(dongle, tmp_path):
    data = np.random.default_rng(4).integers(0, 256, RATE, "u1").tobytes()
    (tmp_path / "x").write_bytes(data)
    done = capture(dongle, "rtlsdr:0", "-n", "480000", "-o", "cu8:-", file=tmp_path / "x", loop=0)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == data[:960_000]


def test_every_block_says_what_it_is(dongle, tmp_path):
    """Frequency, gain and rate that the dongle was really set to, sample numbers without a hole, blocks below 20 ms."""
    log = tmp_path / "calls"
    keys = ["-f", "99.7M", "-s", "1M", "-g", "20", "-p", "3", "--offset", "100k"]
    done = capture(dongle, "rtlsdr:serial=00000001", *keys, "-n", "100000", "-j", log=log)
    assert done.returncode == 0, done.stderr
    blocks = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(b["freq"], b["gain"], b["rate"], b["datatype"]) for b in blocks} == {(99.8e6, 19.7, 1e6, "cu8")}
    counts = [b["count"] for b in blocks]
    assert [b["sample"] for b in blocks] == [sum(counts[:n]) for n in range(len(counts))]
    assert max(counts) <= 0.02 * 1e6 and sum(counts) == 100_000
    assert "set_center_freq 99800000" in log.read_text() and "bias" not in log.read_text()


def test_a_slow_reader_costs_counted_blocks(dongle, tmp_path):
    """After 1.2 s without a reader and with a ring of 0.2 s, the jumps in the data are what -v calls dropped."""
    data = rig.numbered(tmp_path / "x", 8 * RATE)
    args = [CAPTURE, "rtlsdr:0", "--buffer", "200ms", "-n", str(RATE), "-o", "cu8:-", "-v"]
    environment = rig.environment(dongle, file=data)
    with subprocess.Popen(args, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        time.sleep(1.2)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    words = np.frombuffer(out, "<u4").astype("i8")
    missing = 2 * int(np.sum(np.diff(words) - 1))
    said = int(re.search(r"dropped ([\d,]+)", last_line(err))[1].replace(",", ""))
    assert missing == said
    assert 0.3 * RATE < missing < 1.2 * RATE


@pytest.mark.parametrize(
    ("args", "fake", "code", "says"),
    [
        (["rtlsdr:0"], {"count": 0}, 69, "no RTL-SDR found"),
        (["rtlsdr:serial=X"], {}, 69, "no RTL-SDR with serial X"),
        (["rtlsdr:0"], {"fail": "open:-6"}, 69, "busy"),
        (["rtlsdr:0"], {"unplug": 10}, 69, "unplugged"),
        (["rtlsdr:0", "-s", "500k"], {}, 2, "900001"),
        (["rtlsdr:first"], {}, 2, "rtlsdr:0"),
    ],
)
def test_exit_status(dongle, args, fake, code, says):
    done = capture(dongle, *args, "-o", "cu8:-", **fake)
    assert done.returncode == code
    assert last_line(done.stderr).startswith("sp-capture: ")
    assert says in last_line(done.stderr)
    assert len(done.stdout) == (10 * 47_616 if "unplug" in fake else 0)  # what came before is delivered


def test_a_stall_ends_with_69_after_3_s(dongle):
    begin = time.monotonic()
    done = capture(dongle, "rtlsdr:0", "-o", "cu8:-", maxbuf=10, at_eof="hang")
    assert done.returncode == 69
    assert "no samples for 3 s" in last_line(done.stderr)
    assert 3 <= time.monotonic() - begin < 5.5  # with start and a close that waits for the hanging library
    assert len(done.stdout) == 10 * 47_616


@pytest.mark.parametrize("fake", [{}, {"maxbuf": 10, "at_eof": "hang"}])
def test_sigterm_gives_the_dongle_back(dongle, tmp_path, fake):
    """Exit 0, soon, also when the library hangs; the antenna's power is off again unless it does."""
    log = tmp_path / "calls"
    args = [CAPTURE, "rtlsdr:0", "-T", "-o", "cu8:-"]
    environment = rig.environment(dongle, log=log, **fake)
    with subprocess.Popen(args, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(100_000)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    assert process.returncode == 0
    assert time.monotonic() - begin < 2
    if not fake:
        assert log.read_text().splitlines()[-2:][0] == "set_bias_tee 0"
        assert log.read_text().splitlines()[-1].startswith("close")


def test_list(dongle):
    done = capture(dongle, "--list", count=2, serial="KQED")
    assert done.returncode == 0
    lines = [line for line in done.stdout.decode().splitlines() if line.startswith("rtlsdr:")]
    assert lines == [
        "rtlsdr:0  Generic RTL2832U OEM (fake)  serial=KQED",
        "rtlsdr:1  Generic RTL2832U OEM (fake)  serial=00000002",
    ]


def test_sweep_retunes_the_dongle(dongle, tmp_path):
    log = tmp_path / "calls"
    sweep = ["--sweep", "100M:104M:2M", "--dwell", "30ms", "--rounds", "1"]
    done = capture(dongle, "rtlsdr:0", *sweep, "-j", log=log)
    assert done.returncode == 0, done.stderr
    freqs = [json.loads(line)["freq"] for line in done.stdout.splitlines()]
    assert list(dict.fromkeys(freqs)) == [100e6, 102e6, 104e6]
    tuned = [line for line in log.read_text().splitlines() if "center_freq" in line]
    assert list(dict.fromkeys(tuned)) == [f"set_center_freq {n}000000" for n in (100, 102, 104)]


def test_aircraft_off_the_dongle(dongle):
    """The recording played by the dongle, in blocks of 10 ms, gives the messages that the file gives."""
    recording = Path(__file__).parents[1] / "data" / "adsb-2M-a.cu8"
    count = recording.stat().st_size // 2
    found = []
    for source in ("rtlsdr:0", f"cu8:{recording},rate=2M,freq=1090M,pace=0"):
        script = f"set -o pipefail; sp-capture {source} $FLAGS -n {count} | sp-demod adsb -j"
        environment = rig.environment(dongle, file=recording, at_eof="block")
        environment["PATH"] = f"{Path(CAPTURE).parent}:{environment['PATH']}"
        environment["FLAGS"] = "-f 1090M -s 2M" if source == "rtlsdr:0" else ""
        done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr
        found.append([(line["sample"], line["raw"]) for line in map(json.loads, done.stdout.splitlines())])
    assert found[0] == found[1]
    assert len(found[0]) >= 159
