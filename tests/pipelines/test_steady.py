"""What must stay as it is while a command runs: the count of samples, memory, descriptors. Real processes, real time."""

import os
import re
import signal
import struct
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest
from containers import block, blocks_of, header, iq, samples, schema, wait_for
from shell import ENV, bash, start

SOAK = bool(os.environ.get("SP_SOAK"))
pytestmark = pytest.mark.timeout(3600 if SOAK else 120)
RATE = 1_000_000


@pytest.fixture(scope="module")
def stepped_clock(tmp_path_factory):
    """The library that steps the wall clock of one process."""
    library = tmp_path_factory.mktemp("clock") / "stepped_clock.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("stepped_clock.c")], check=True)
    return library


@pytest.mark.parametrize("step", [3600, -3600, 31_536_000, -1_700_000_000, 400_000_000] if SOAK else [3600, -31_536_000])
def test_the_wall_clock_steps(step, stepped_clock, tmp_path):
    """R12: `sample` counts on, untouched; `time` follows the clock in one step; nothing lasts less than nothing."""
    clock = tmp_path / "clock"
    clock.write_bytes(struct.pack("<q", 0))
    p = subprocess.Popen(
        ["sp-capture", "sim:tone", "-s", "1M", "--duration", "3s", "-v", "-o", "x.avro"], cwd=tmp_path, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL, env={**ENV, "LD_PRELOAD": str(stepped_clock), "STEPPED_CLOCK": str(clock)},
    )  # fmt: skip
    part = tmp_path / "x.avro.part"
    wait_for(lambda: part.exists() and part.stat().st_size > 1_500_000)
    with clock.open("r+b") as file:  # in place: it is mapped
        file.write(struct.pack("<q", step))
    _, text = p.communicate(timeout=20)
    assert p.returncode == 0, text
    assert 2.5 < float(re.search(rb"([\d.]+) s$", text.splitlines()[-1])[1]) < 10
    rows = blocks_of((tmp_path / "x.avro").read_bytes())
    assert samples(rows) == 3 * RATE and rows[0]["sample"] == 0
    assert all(a["sample"] + len(a["data"]) // 2 == b["sample"] for a, b in pairwise(rows))
    steps = [(b["time"] - a["time"]) / 1e9 for a, b in pairwise(rows)]
    assert [round(s) for s in steps if abs(s) > 0.5] == [step]
    line = "sp-cat x.avro --info -j && sp-cat x.avro --gaps && sp-demod raw -r 500k x.avro | sp-cat --gaps"
    done = bash(f"{line} && sp-psd x.avro | sp-cat --info -j", tmp_path)
    assert done.returncode == 0 and done.stdout.count("\n") == 2, (done.stdout, done.stderr)
    assert done.stdout.count('"gaps": 0') == 2 and '"duration_s": -' not in done.stdout


@pytest.mark.soak
def test_samples_and_jumps_are_the_clock(tmp_path):
    """R5: on a live run, samples + lost = elapsed time · rate, give or take a buffer."""
    seconds = 60 if SOAK else 3
    p = start("sp-capture", "sim:tone,lose=2", "-s", "1M", "-o", "x.avro", cwd=tmp_path)
    part = tmp_path / "x.avro.part"
    wait_for(lambda: part.exists() and part.stat().st_size > 0)
    time.sleep(seconds)
    stopped = time.time_ns()
    p.terminate()
    _, text = p.communicate(timeout=6)
    assert p.returncode == 0, text
    rows = blocks_of((tmp_path / "x.avro").read_bytes())
    took = (stopped - rows[0]["time"]) / 1e9  # from the first sample, whenever we saw that there is a file
    last = rows[-1]["sample"] + len(rows[-1]["data"]) // 2
    assert last > samples(rows)  # the simulator lost some
    assert abs(last / RATE - took) < 0.04 + 0.02, (last / RATE, took)  # two blocks, and the scheduler


# ------------------------------------------------------------ memory and descriptors
def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


FLAT_OUT = {
    "capture": "sp-capture sim:tone,pace=0 -s 2M",
    "demod": "sp-demod wbfm",
    "psd": "sp-psd --interval 10ms",
    "cat": "sp-cat",
    "adsb": "sp-demod adsb",
}


@pytest.mark.soak
@pytest.mark.parametrize("tool", FLAT_OUT)
def test_memory_and_descriptors_are_constant(tool):
    """R10: from 10% of a flat-out run to its end, at most 5 MiB or 5% more memory, and no descriptor."""
    seconds = 120 if SOAK else 3
    source = "" if tool == "capture" else f"sp-capture sim:{'adsb' if tool == 'adsb' else 'fm'},pace=0 -s 2M | "
    p = start("bash", "-c", f"{source}{FLAT_OUT[tool]} > /dev/null & echo $! && wait", start_new_session=True)
    try:
        pid = int(p.stdout.readline())
        time.sleep(1.0)
        before, open_before = resident(pid), len(os.listdir(f"/proc/{pid}/fd"))
        time.sleep(seconds)
        after, open_after = resident(pid), len(os.listdir(f"/proc/{pid}/fd"))
    finally:
        os.killpg(p.pid, signal.SIGKILL)
        p.communicate()
    assert open_after == open_before
    assert after - before <= max(5, 0.05 * before), (before, after)
    assert after < {"capture": 96, "cat": 96}.get(tool, 160)  # R11


def test_a_container_that_is_one_long_block_streams(tmp_path):
    """200 MiB of samples in a single null block: read in pieces."""
    data = header(schema("IQ")) + block(iq(n=100 << 20))
    (tmp_path / "x.avro").write_bytes(data)
    done = bash(f"ulimit -v 600000; sp-cat x.avro -v -o - | tail -c +{1} | wc -c", tmp_path)
    assert done.returncode == 0 and int(done.stdout) > len(data), done.stderr
