"""A cache as its users meet it: sp-cat, sp-demod and sp-tag on one, and a writer that is killed or runs out of disk."""

import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import fastavro
import pytest
from shell import bash

from sptools.cache import index, layout
from sptools.cache.recover import recover

T0 = "2026-01-02T03:04:05"
FILL = shlex.join([sys.executable, str(Path(__file__).with_name("cachefill.py"))])
SOAK = "SP_SOAK" in os.environ
BLOCKS, A_SEGMENT = 12, 4
RATE = 100_000
KILLED = (137, -9)  # as a shell says it, and when the shell has become the command


def ok(line, cwd, **env):
    done = bash(line, cwd, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def info(line, cwd):
    return [json.loads(row) for row in ok(f"{line} --info -j", cwd).splitlines()]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A cache with samples of 4 s in 10 segments and telemetry of 20 s; the samples once more as a file."""
    path = tmp_path_factory.mktemp("cache")
    ok(f"sp-capture sim:tone,pace=0,start={T0},tone=10k -f 100M -s {RATE} --duration 4s --name kqed -o x.avro", path)
    ok(f"sp-capture sim:telemetry,pace=0,start={T0} --duration 20s --name n --task rig -o rows.avro", path)
    ok("sp-cat x.avro -o x.cu8", path)
    # blocks of 100 ms
    ok(f"sp-cat x.avro | {python(SPLIT)} | cat - rows.avro | {FILL} cache rotate_size=85000", path)
    return path


SPLIT = """
from sptools import cut
from sptools.formats.avro import read, write
from sptools.record import IQ
from sptools.transports.file import Input, Output
sink = write(Output("-"))
for item in read(Input("-")):
    n = 10000
    parts = [cut.part(item, k, min(item.count, k + n)) for k in range(0, item.count, n)] if isinstance(item, IQ) else [item]
    for one in parts:
        sink.put(one)
sink.close()
"""


def python(code):
    return shlex.join([sys.executable, "-c", code])


@pytest.fixture
def copy(home, tmp_path):
    shutil.copytree(home / "cache", tmp_path / "cache")
    return tmp_path


def segments(cache, channel="kqed/capture"):
    return [s for s in layout.segments(str(cache)) if s.channel == channel]


# ------------------------------------------------------------ reading
def test_a_cache_is_an_endpoint(home):
    assert len(segments(home / "cache")) == 10
    for place in ("cache/", "cache", "avro:cache/", "cache/kqed/capture"):
        ok(f"sp-cat {place} --channel kqed/capture -o y.cu8", home)
        assert (home / "y.cu8").read_bytes() == (home / "x.cu8").read_bytes()
    rows = ok("sp-cat cache/ --channel n/* -j", home)
    assert rows == ok("sp-cat rows.avro -j", home)
    both = info("sp-cat cache/", home)
    assert [(f["channel"], f["starts"], f["gaps"]) for f in both] == [("kqed/capture", 1, 0), ("n/rig", 1, 0)]
    assert both[0]["duration_s"] == 4.0 and ok("sp-cat cache/ --gaps", home) == ""


@pytest.mark.parametrize(
    "flags, samples",
    [
        (f"--since {T0[:-1]}6Z", 300_000),
        (f"--until {T0}.25", 25_000),
        (f"--since {T0}.5 --until {T0}.75", 25_000),
        (f"--since {T0}.5 --duration 1s", 100_000),
        ("--last 100ms", 10_000),
        ("--last 2s", 200_000),
        ("-n 12345", 12345),
    ],
)
def test_flags_that_cut(flags, samples, home):
    ok(f"sp-cat cache/ --channel kqed/* {flags} -o c.cu8; sp-cat x.avro {flags} -o d.cu8", home)
    assert (home / "c.cu8").stat().st_size == 2 * samples
    assert (home / "c.cu8").read_bytes() == (home / "d.cu8").read_bytes()
    if "-n" not in flags:  # which counts what is put out: of --info its lines
        (facts,) = info(f"sp-cat cache/ --channel kqed/* {flags}", home)
        assert facts["count"] == samples and facts["gaps"] == 0


def test_a_range_is_the_files_range(home):
    ok(f"sp-cat cache/ --channel kqed/* --since {T0}.123456 --until 2026-01-02T03:04:08.654321 -o c.cu8", home)
    ok(f"sp-cat x.avro --since {T0}.123456 --until 2026-01-02T03:04:08.654321 -o d.cu8", home)
    assert (home / "c.cu8").read_bytes() == (home / "d.cu8").read_bytes()


def test_a_demodulator_reads_a_cache(home):
    ok("sp-demod raw -f 100M cache/kqed/capture/ -o cache.avro && sp-demod raw -f 100M x.avro -o file.avro", home)
    assert info("sp-cat cache.avro", home)[0]["count"] == info("sp-cat file.avro", home)[0]["count"] > 0
    done = bash("sp-demod raw -f 100M cache/ -o no.avro", home)
    assert done.returncode == 2 and "kqed/capture, n/rig" in done.stderr


@pytest.mark.parametrize("what, says", [("nosuch/", "no such folder"), ("empty/", "holds no segment")])
def test_no_cache(what, says, tmp_path):
    (tmp_path / "empty").mkdir()
    done = bash(f"sp-cat {what}", tmp_path)
    assert done.returncode == 66 and says in done.stderr
    assert bash(f"sp-cat --check {what}", tmp_path).returncode == 66


def test_nothing_in_the_range(home):
    done = bash("sp-cat cache/ --since 2026-02-01 -o y.avro", home)
    assert done.returncode == 66 and "it holds 2026-01-02T03:04:05Z" in done.stderr
    done = bash("sp-cat cache/ --channel x -o y.avro", home)
    assert done.returncode == 66 and "kqed/capture, n/rig" in done.stderr


# ------------------------------------------------------------ checking
def test_check_sound(home):
    said = ok("sp-cat --check cache/", home)
    assert "11 segments" in said and "all checksums agree" in said and "no gaps" in said


def test_check_names_the_place(copy):
    one, two, three, four, *_ = segments(copy / "cache")
    row = index.load(one.index_path).rows[1]
    with open(one.path, "r+b") as file:  # a bit of a sample: no framing shows it
        file.seek(row[index.OFFSET] + 5000)
        file.write(b"\xee")
    with open(two.path, "r+b") as file:
        file.seek(30)
        file.write(b"\xee")
    os.truncate(three.path, os.path.getsize(three.path) - 1)
    os.unlink(four.index_path)
    done = bash("sp-cat --check -j cache/", copy)
    assert done.returncode == 65 and "3 places are damaged" in done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    by = {Path(f["input"]).name: f for f in found[:-1] if "why" in f}
    assert by[f"{one.stem}.avro"]["offset"] == row[index.OFFSET] and "checksum" in by[f"{one.stem}.avro"]["why"]
    assert by[f"{two.stem}.avro"]["offset"] == 0 and "header" in by[f"{two.stem}.avro"]["why"]
    assert "ends inside" in by[f"{three.stem}.avro"]["why"] and "no index" in by[f"{four.stem}.avro"]["why"]
    assert (found[-1]["damaged"], found[-1]["unindexed"], found[-1]["gaps"]) == (3, 1, 2)
    assert sum(f.get("lost", 0) for f in found[:-1]) == 20_000
    text = bash("sp-cat --check cache/", copy)
    assert text.returncode == 65 and f"byte {row[index.OFFSET]:,}" in text.stdout
    # what is sound is delivered, and what is not is told
    done = bash("sp-cat cache/ --channel kqed/* -o y.cu8", copy)
    assert done.returncode == 65 and one.path[len(str(copy)) + 1 :] in done.stderr
    assert (copy / "y.cu8").stat().st_size == 2 * (400_000 - 20_000)


# ------------------------------------------------------------ tags
def tagged(cwd, name):
    return [(s.channel, s.stem) for s in layout.segments(str(cwd / "cache/tags" / name))]


def test_tag_flags(copy):
    stems = [s.stem for s in segments(copy / "cache")]
    ok(f"sp-tag cache a --since {T0}.95 --until 2026-01-02T03:04:06.1 --channel kqed/*", copy)
    assert tagged(copy, "a") == [("kqed/capture", s) for s in stems[2:3]]
    ok(f"sp-tag cache b --until {T0}.1 --note two_words", copy)
    assert tagged(copy, "b") == [("kqed/capture", stems[0]), ("n/rig", segments(copy / "cache", "n/rig")[0].stem)]
    said = ok("sp-tag cache c --since 2026-01-02T03:04:08.9 --channel kqed/capture --channel nosuch -j", copy)
    assert json.loads(said)["channels"] == {"kqed/capture": 1}
    text = ok("sp-tag cache --list", copy)
    assert len(text.splitlines()) == 3 and "two_words" in text and "kqed/capture (1)" in text
    assert [json.loads(line)["name"] for line in ok("sp-tag cache --list -j", copy).splitlines()] == ["a", "b", "c"]
    ok("sp-tag cache b --remove", copy)
    assert not (copy / "cache/tags/b").exists() and ok("sp-tag cache/ --list", copy).count("\n") == 2
    ok(f"sp-cat cache/tags/a/ --since {T0}.9 --until 2026-01-02T03:04:06.1 -o y.cu8", copy)
    assert (copy / "y.cu8").stat().st_size == 2 * 20_000


@pytest.mark.parametrize(
    "line, status, says",
    [
        ("sp-tag cache", 2, "NAME is missing"),
        ("sp-tag cache x --list", 2, "takes no NAME"),
        ("sp-tag cache ../x", 2, "cannot name a tag"),
        ("sp-tag cache x --remove --note y", 2, "whole tag"),
        ("sp-tag cache x --since 12:00 --until 11:00", 2, "empty"),
        ("sp-tag cache x --remove", 66, "has no tag x"),
        ("sp-tag nosuch x", 66, "not a cache"),
        ("sp-tag cache x --since 2026-02-01", 66, "nothing in that range"),
    ],
)
def test_tag_says_what_is_wrong(line, status, says, home):
    done = bash(line, home)
    assert done.returncode == status and says in done.stderr


@pytest.mark.parametrize("n", [1, 2, 7, 22])
def test_a_tag_killed_half_way_is_completed(n, copy):
    done = bash(f"strace -f -o /dev/null -e trace=link,linkat -e inject=link,linkat:signal=KILL:when={n} sp-tag cache x", copy)
    assert done.returncode in KILLED
    assert "unfinished" in ok("sp-tag cache --list", copy)
    ok("sp-tag cache x", copy)
    assert len(tagged(copy, "x")) == 11 and "unfinished" not in ok("sp-tag cache --list", copy)
    ok("sp-cat --check cache/tags/x/", copy)


# ------------------------------------------------------------ a writer in trouble
@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    """Twelve blocks of 10,000 samples as a stream, and their samples."""
    path = tmp_path_factory.mktemp("blocks")
    n = BLOCKS / 10
    ok(f"sp-capture sim:tone,pace=0,start={T0} -f 100M -s {RATE} --duration {n}s --name kqed | {python(SPLIT)} > x.avro", path)
    ok("sp-cat x.avro -o x.cu8", path)
    return path, (path / "x.cu8").read_bytes()


def strace(inject, cwd, blocks, **env):
    """The writer under strace, four blocks a segment."""
    line = f"strace -f -o /dev/null -e trace=writev,fdatasync,fsync {inject} {FILL} cache rotate_size=82000"
    return bash(f"{line} < {blocks[0]}/x.avro", cwd, **env)


def written(n):
    """Whole blocks on the disk when the n-th writev does not happen: two for the headers of a segment, two a block."""
    full, rest = divmod(n - 1, 2 + 2 * A_SEGMENT)
    return min(BLOCKS, full * A_SEGMENT + max(0, (rest - 2) // 2))


def contents(cache):
    """Path → bytes of the closed segments."""
    return {s.path: Path(s.path).read_bytes() for s in layout.segments(str(cache)) if not s.open}


def everything(cwd):
    """What sp-cat makes of a cache, and what fastavro does of its closed segments."""
    done = bash("sp-cat cache/ -o got.cu8", cwd)
    by_fastavro = b"".join(
        one["data"] for s in layout.segments(str(cwd / "cache")) if not s.open for one in fastavro.reader(open(s.path, "rb"))
    )
    return done, (cwd / "got.cu8").read_bytes() if done.returncode == 0 else b"", by_fastavro


@pytest.mark.parametrize("n", range(1, 51 if SOAK else 31))
def test_killed_at_every_write(n, blocks, tmp_path):
    done = strace(f"-e inject=writev:signal=KILL:when={n}", tmp_path, blocks)
    assert (done.returncode in KILLED) == (n <= 3 * (2 + 2 * A_SEGMENT)), done.stderr
    before, whole = contents(tmp_path / "cache"), blocks[1][: written(n) * 20_000]
    if n in (4, 5, 16, 30):  # a reader of what the crash left: the same
        assert everything(tmp_path)[1] == whole
    found = recover(str(tmp_path / "cache"))
    assert [r.what for r in found] in ([], ["closed"], ["removed"]) and sum(r.cut for r in found) >= 0
    after = contents(tmp_path / "cache")
    assert before.items() <= after.items() and not any(s.open for s in layout.segments(str(tmp_path / "cache")))
    got = b"".join(one["data"] for path in sorted(after) for one in fastavro.reader(open(path, "rb")))
    assert got == whole
    assert recover(str(tmp_path / "cache")) == []


@pytest.mark.parametrize("n", range(1, 31 if SOAK else 16))
def test_a_write_that_fails_costs_its_block_alone(n, blocks, tmp_path):
    """Disk full or an I/O error at one write: the segment is given up, the next block begins another, nothing older is hurt."""
    error, what = (("ENOSPC", "No space left"), ("EIO", "Input/output error"))[n % 2]
    done = strace(f"-e inject=writev:error={error}:when={n}", tmp_path, blocks)
    assert done.returncode == 0 and done.stdout.count("writing failed") == 1 and what in done.stdout
    before = contents(tmp_path / "cache")
    recover(str(tmp_path / "cache"))
    assert before.items() <= contents(tmp_path / "cache").items()
    said, got, by_fastavro = everything(tmp_path)
    lost = written(n)
    assert got == by_fastavro == blocks[1][: lost * 20_000] + blocks[1][(lost + 1) * 20_000 :], said.stderr
    if lost:
        assert json.loads(ok("sp-cat cache/ --gaps -j", tmp_path))["lost"] == 10_000


@pytest.mark.parametrize("n", [2, 9, 16])
def test_a_disk_that_stays_full_harms_nothing_older(n, blocks, tmp_path):
    strace(f"-e inject=writev:error=ENOSPC:when={n}+", tmp_path, blocks)
    recover(str(tmp_path / "cache"))
    got = b"".join(one["data"] for data in contents(tmp_path / "cache") for one in fastavro.reader(open(data, "rb")))
    assert got == blocks[1][: written(n) * 20_000]


@pytest.mark.parametrize("call, n", [("fsync", 1), ("fsync", 2), ("fsync", 3), ("fsync", 5), ("fdatasync", 1)])
def test_a_sync_that_fails_is_not_retried_on_the_file(call, n, blocks, tmp_path):
    done = bash(
        f"strace -f -o log -e trace={call} -e inject={call}:error=EIO:when={n} {FILL} cache rotate_size=82000"
        f"{' sync=0' if call == 'fdatasync' else ''} < {blocks[0]}/x.avro",
        tmp_path,
    )
    assert done.returncode == 0 and ("closing failed" in done.stdout or "syncing failed" in done.stdout)
    before = contents(tmp_path / "cache")
    recover(str(tmp_path / "cache"))
    assert before.items() <= contents(tmp_path / "cache").items()
    said, got, by_fastavro = everything(tmp_path)
    # the block at hand when a segment could not be closed is lost, and shown
    missing = len(blocks[1]) - len(got)
    assert got == by_fastavro and missing in (0, 20_000), said.stderr
    assert bool(missing) == bool(ok("sp-cat cache/ --gaps", tmp_path))


def test_killed_with_open_segments(blocks, home, tmp_path):
    done = bash(f"cat {home}/x.avro {home}/rows.avro | {FILL} cache die=1", tmp_path)
    assert done.returncode in KILLED
    assert [s.open for s in layout.segments(str(tmp_path / "cache"))] == [True, True]
    ok("sp-cat --check cache/", tmp_path)
    said = ok(f"{FILL} cache < {home}/rows.avro", tmp_path)
    assert said.count("closed with") == 2
    assert info("sp-cat cache/ --channel kqed/*", tmp_path)[0]["count"] == 400_000
