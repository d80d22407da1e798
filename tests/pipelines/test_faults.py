"""Faults of the machine around a command: kills, signals, full and failing disks. Real processes.

Counts are small here and large with SP_SOAK=1.
"""

import io
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from itertools import pairwise

import fastavro
import pytest
from containers import blocks_of, samples, wait_for
from shell import ENV, bash, start, status

SOAK = bool(os.environ.get("SP_SOAK"))
pytestmark = pytest.mark.timeout(3600 if SOAK else 120)
RATE = 1_000_000


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """What lay on the disk before: three seconds of IQ in 24 blocks."""
    path = tmp_path_factory.mktemp("older") / "older.avro"
    done = bash(f"sp-capture sim:tone,pace=0 -s 1M --duration 3s -o {path}")
    assert done.returncode == 0, done.stderr
    return path


# ------------------------------------------------------------ kills and signals
@pytest.mark.soak
def test_kill_9_leaves_whole_blocks(tmp_path):
    """R1: what lies in the .part is whole blocks and at most one cut off; our reader gives exactly those."""
    rng = random.Random(1)
    partial = 0
    part = tmp_path / "x.avro.part"
    for _ in range(200 if SOAK else 6):
        p = start("sp-capture", "sim:tone,pace=0", "-s", "1M", "-o", "x.avro", cwd=tmp_path)
        wait_for(lambda: part.exists() and part.stat().st_size > 5000)
        time.sleep(rng.random() * 0.05)
        p.kill()
        p.communicate()
        assert not (tmp_path / "x.avro").exists()
        data = part.read_bytes()
        rows = blocks_of(data)
        assert all(a["sample"] + len(a["data"]) // 2 == b["sample"] for a, b in pairwise(rows))
        done = bash("sp-cat avro:x.avro.part -v -o y.cu8", tmp_path)
        assert done.returncode in (0, 65), done.stderr
        partial += done.returncode == 65
        left = (tmp_path / "y.cu8").stat().st_size // 2 - samples(rows)
        # fastavro needs the marker behind a block, we do not
        assert left in (0, len(rows[-1]["data"]) // 2) and "damaged, 0" not in done.stderr
        # the next run writes the same name anew
    assert bash("sp-capture sim:tone,pace=0 -s 1M -n 1000 -o x.avro", tmp_path).returncode == 0
    assert not part.exists() and samples(blocks_of((tmp_path / "x.avro").read_bytes())) == 1000


ENDLESS = {
    "capture": "sp-capture sim:fm -s 1M -o x.avro",
    "demod": "sp-demod wbfm -o x.avro",
    "psd": "sp-psd --interval 10ms -o x.avro",
    "cat": "sp-cat -o x.avro",
}


@pytest.mark.soak
@pytest.mark.parametrize("tool", ENDLESS)
def test_sigterm_at_any_time(tool, tmp_path, older):
    """R13: it ends within 5 s, by itself or, while Python still starts, of the signal; x.avro is whole or not there."""
    rng = random.Random(tool)
    took = []
    for _ in range(200 if SOAK else 4):
        (tmp_path / "x.avro").unlink(missing_ok=True)
        read, write = os.pipe()
        p = start(*ENDLESS[tool].split(), cwd=tmp_path, stdin=read)
        os.close(read)
        feeder = threading.Thread(target=feed, args=(write, older.read_bytes(), p))
        feeder.start()
        time.sleep(rng.random() * 0.8)
        p.terminate()
        began = time.monotonic()
        _, text = p.communicate(timeout=8)
        took.append(time.monotonic() - began)
        feeder.join()
        assert p.returncode in (0, -signal.SIGTERM), text
        assert b"Traceback" not in text and b"bug" not in text, text
        file = tmp_path / "x.avro"
        assert not file.exists() or list(fastavro.reader(io.BytesIO(file.read_bytes()))) is not None
        assert p.returncode == 0 or not file.exists()
        if p.returncode == 0 and tool == "capture":
            assert file.exists()
    assert max(took) < 5.5
    # who reads stdin goes on to its end, which comes 0.2 s after the signal
    assert sorted(took)[int(len(took) * 0.95) - 1] < 1.5


def feed(fd, data, process):
    """A source that ends soon after its reader was told to end."""
    head, rest = data[:300_000], data[300_000:]
    try:
        os.write(fd, head)
        time.sleep(0.8)
        os.write(fd, rest)
    except OSError:
        pass
    os.close(fd)


@pytest.mark.soak
def test_reader_leaves_after_any_number_of_bytes(older):
    """R14, at random byte counts; the four tools in turn."""
    rng = random.Random(3)
    lines = [
        "sp-capture sim:tone,pace=0 -s 1M",
        f"sp-cat {older}",
        f"sp-demod raw -r 900k {older}",
        f"sp-psd --interval 1ms {older}",
    ]
    for i in range(200 if SOAK else 8):
        n = int(10 ** rng.uniform(0, 5.9))
        codes, text = status(f"{lines[i % 4]} --duration 3s | head -c {n} | wc -c > /dev/null")
        assert text == "" and codes[0] in ((141, 0) if n > 300_000 or i % 4 == 3 else (141,)), (n, lines[i % 4], codes)


def test_sigterm_while_nothing_comes(tmp_path):
    """A FIFO without a writer, one without data, a stdin without data: each ends by itself, 0, within 5 s."""
    for name in ("unopened", "silent"):
        os.mkfifo(tmp_path / name)
    hold = os.open(tmp_path / "silent", os.O_RDWR)
    stdin = os.pipe()
    running = [start("sp-cat", place, "-o", f"x{i}.avro", cwd=tmp_path, stdin=stdin[0])
               for i, place in enumerate(("unopened", "silent", "-"))]  # fmt: skip
    time.sleep(1.0)
    for p in running:
        p.terminate()
    began = time.monotonic()
    for p in running:
        _, text = p.communicate(timeout=8)
        assert time.monotonic() - began < 5.5 and p.returncode == 0 and b"Traceback" not in text, text
    for fd in (*stdin, hold):
        os.close(fd)


def test_sigterm_while_an_output_fifo_has_no_reader(tmp_path):
    os.mkfifo(tmp_path / "f")
    p = start("sp-capture", "sim:tone", "-s", "1M", "-o", "f", cwd=tmp_path)
    time.sleep(0.7)
    p.terminate()
    _, text = p.communicate(timeout=6)
    assert p.returncode in (0, -signal.SIGTERM) and b"Traceback" not in text, text


# ------------------------------------------------------------ disks
def injected(folder, what, line):
    """`line` under strace with a system call made to fail: (status, stderr). `what`: strace's own words."""
    call = what.partition(":")[0]
    done = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={what}", "bash", "-c", f"exec {line}"],
        cwd=folder, env=ENV, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stderr


strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@strace
@pytest.mark.soak
@pytest.mark.parametrize("error, says", [("ENOSPC", "No space left"), ("EIO", "Input/output error")])
def test_a_write_fails(error, says, tmp_path, older):
    """R6: 74 whichever write it is, nothing under the final name, what was there before is untouched, and the next run goes."""
    (tmp_path / "x.avro").write_bytes(older.read_bytes())
    for n in range(1, 21) if SOAK else (1, 2, 3, 9):
        code, text = injected(tmp_path, f"writev:error={error}:when={n}+", f"sp-cat {older} -o x.avro")
        assert code == 74 and says in text and "x.avro" in text and text.count("\n") == 1, (n, text)
        assert (tmp_path / "x.avro").read_bytes() == older.read_bytes()
        part = tmp_path / "x.avro.part"
        assert part.exists() == (n > 1)  # the first write is the header
        if n > 1:
            assert len(blocks_of(part.read_bytes())) == n - 2
            assert bash("sp-cat avro:x.avro.part", tmp_path).returncode == 0
    assert bash(f"sp-cat {older} -o x.avro", tmp_path).returncode == 0
    assert not part.exists()


@strace
def test_a_write_fails_once_and_is_not_tried_again(tmp_path, older):
    code, text = injected(tmp_path, "writev:error=EIO:when=2", f"sp-cat {older} -o x.avro")
    assert code == 74 and not (tmp_path / "x.avro").exists(), text


@strace
@pytest.mark.parametrize("line", ["sp-cat {} -t", "sp-psd {} -j", "sp-demod wbfm {} -o wav:-", "sp-cat {} -o sigmf:x.sigmf-meta"])
def test_a_write_fails_in_other_formats(line, tmp_path, older):
    code, text = injected(tmp_path, "writev:error=ENOSPC:when=1+", f"{line.format(older)} > out")
    assert code == 74 and "No space left" in text and "Traceback" not in text, text
    assert not (tmp_path / "x.sigmf-meta").exists() and not (tmp_path / "x.sigmf-data").exists()


@strace
@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_closing_fails(call, tmp_path, older):
    """A failed fsync is never retried, and nothing takes the final name."""
    code, text = injected(tmp_path, f"{call}:error=EIO:when=1", f"sp-cat {older} -o x.avro")
    assert code == 74 and "Input/output error" in text and "x.avro.part" in text, text
    assert not (tmp_path / "x.avro").exists()
    assert (tmp_path / "x.avro.part").stat().st_size > 1_000_000


@strace
@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_read_fails(n, tmp_path, older):
    """74, and what was read before it is delivered, whole."""
    code, text = injected(tmp_path, f"readv:error=EIO:when={n}", f"sp-cat {older} -o x.avro")
    assert code == 74 and "reading failed" in text and "older.avro" in text, text
    assert (tmp_path / "x.avro").exists() == (n > 1)
    if n > 1:
        assert (samples(blocks_of((tmp_path / "x.avro").read_bytes())) > 0) == (n > 2)


@strace
def test_calls_that_are_interrupted_go_on(tmp_path, older):
    code, text = injected(tmp_path, "readv:error=EINTR:when=2+3", f"sp-cat {older} -o x.avro")
    assert code == 0, text
    code, text = injected(tmp_path, "writev:error=EINTR:when=2+3", f"sp-cat {older} -o y.avro")
    assert code == 0, text
    data = [[row["data"] for row in blocks_of((tmp_path / name).read_bytes())] for name in ("x.avro", "y.avro")]
    assert data[0] == data[1] and sum(map(len, data[0])) == 6 * RATE
