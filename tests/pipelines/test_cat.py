"""sp-cat: conversion, reports, and the flags that every filter shares. Each flag shows its effect (L9)."""

import json

import pytest
from shell import bash

T0 = "2026-01-02T03:04:05"


def ok(line, cwd):
    done = bash(line, cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("cat")
    ok(f"sp-capture sim:tone,pace=0,start={T0},tone=50k -f 100M -s 1M --duration 2s --name n --latitude 37.5 -o x.avro", path)
    ok(f"sp-capture sim:telemetry,pace=0,start={T0} --duration 5s --name n --task rig -o rows.avro", path)
    return path


def info(line, cwd):
    return [json.loads(row) for row in ok(f"{line} --info -j", cwd).splitlines()]


def test_info_says_what_it_is(home):
    (facts,) = info("sp-cat x.avro", home)
    assert facts["channel"] == "n/capture" and facts["record"] == "IQ" and facts["count"] == 2_000_000
    assert facts["first"].startswith(T0) and facts["duration_s"] == 2.0
    assert facts["source"]["latitude"] == 37.5 and facts["source"]["device"] == "sim:tone"
    (facts,) = info("sp-cat rows.avro", home)
    assert facts["channel"] == "n/rig" and "time" in facts["fields"][0]


@pytest.mark.parametrize(
    "flags, samples",
    [
        ("--duration 500ms", 500_000),
        ("-n 12345", 12345),
        ("--since 2026-01-02T03:04:06Z", 1_000_000),
        ("--since 2026-01-02T04:04:06+01:00", 1_000_000),
        ("--until 2026-01-02T03:04:05.25", 250_000),
        ("--since 2026-01-02T03:04:05.5 --until 2026-01-02T03:04:05.75", 250_000),
        ("--last 100ms", 100_000),
        ("--since 2026-01-02T03:04:05.5 --duration 1s", 1_000_000),
        ("--channel n/cap*", 2_000_000),
    ],
)
def test_flags_that_cut(flags, samples, home):
    ok(f"sp-cat x.avro {flags} -o cut.cu8", home)
    assert (home / "cut.cu8").stat().st_size == 2 * samples


def test_channel_chooses_and_names_what_there_is(home):
    both = info("sp-cat x.avro rows.avro --channel n/rig", home)
    assert [f["channel"] for f in both] == ["n/rig"]
    done = bash("sp-cat x.avro rows.avro --channel nosuch -o y.avro", home)
    assert done.returncode == 66 and "n/capture, n/rig" in done.stderr


def test_several_outputs(home):
    ok("sp-cat x.avro -o a.cu8 -o b.sigmf-meta -o c.avro,codec=deflate", home)
    assert (home / "a.cu8").stat().st_size == 4_000_000
    assert (home / "b.sigmf-data").stat().st_size == 4_000_000
    assert info("sp-cat c.avro", home)[0]["codec"] == "deflate"


@pytest.mark.parametrize("codec", ["null", "deflate", "zstandard"])
def test_codecs_give_the_same_samples(codec, home):
    ok(f"sp-cat x.avro -o z.avro,codec={codec}; sp-cat z.avro -o z.cu8; sp-cat x.avro -o x.cu8", home)
    assert (home / "z.cu8").read_bytes() == (home / "x.cu8").read_bytes()


def test_text_and_json_lines(home):
    assert len(ok("sp-cat rows.avro -t", home).splitlines()) == info("sp-cat rows.avro", home)[0]["count"]
    rows = [json.loads(row) for row in ok("sp-cat rows.avro -j -n 3", home).splitlines()]
    assert len(rows) == 3 and all("time" in row for row in rows)
    done = bash("sp-cat rows.avro -t -j", home)
    assert done.returncode == 2 and "choose one" in done.stderr


def test_rows_to_csv_and_back_to_json(home):
    ok("sp-cat rows.avro -o r.csv; sp-cat r.csv -o r2.jsonl; sp-cat rows.avro -o r1.jsonl", home)
    one, two = ([json.loads(row) for row in open(home / f"r{i}.jsonl")] for i in (1, 2))
    assert len(one) == len(two) and one[0].keys() == two[0].keys()
    assert [row["counter"] for row in one] == [row["counter"] for row in two]


def test_stdin_and_files_in_order(home):
    facts = info("cat x.avro | sp-cat x.avro -", home)
    assert facts[0]["count"] == 4_000_000 and facts[0]["starts"] == 2 and facts[0]["gaps"] == 0


def test_check_sound(home):
    done = bash("sp-cat --check x.avro rows.avro", home)
    assert done.returncode == 0 and done.stdout.count("framing is sound; no index") == 2


def test_check_names_the_place(home):
    data = bytearray((home / "x.avro").read_bytes())
    at = data.index(b"cu8", 1_500_000) - 42
    data[at] ^= 0x55
    (home / "bad.avro").write_bytes(data)
    done = bash("sp-cat --check -j bad.avro x.avro", home)
    assert done.returncode == 65
    damage, bad, good = [json.loads(row) for row in done.stdout.splitlines()]
    assert damage["offset"] <= at < damage["offset"] + damage["bytes"] < at + 600_000
    assert (bad["damaged"], good["damaged"]) == (1, 0)
    lost = json.loads(bash("sp-cat bad.avro --gaps -j", home).stdout)["lost"]
    assert 0 < lost <= 262_144


def test_check_refuses_what_has_no_framing(home):
    ok("sp-cat x.avro -n 10 -o raw.cu8", home)
    done = bash("sp-cat --check raw.cu8", home)
    assert done.returncode == 2 and "no framing to check" in done.stderr


def test_binary_is_not_written_to_a_terminal(home):
    done = bash("script -qec 'sp-cat x.avro -o wav:-' /dev/null", home)
    assert "will not write binary data to a terminal" in done.stdout


def test_a_terminal_gets_text(home):
    done = bash("script -qec 'sp-cat rows.avro -n 2' /dev/null", home)
    assert len(done.stdout.splitlines()) == 2 and "=" in done.stdout


def test_quiet_and_verbose(home):
    assert bash("sp-cat x.avro -v -o /dev/null", home).stderr.count("\n") == 1
    damaged = "head -c 3000000 x.avro | sp-cat {} -o /dev/null"
    assert "3,0" in bash(damaged.format("-v"), home).stderr or "damaged" in bash(damaged.format("-v"), home).stderr
    assert bash(damaged.format("-q"), home).stderr.count("\n") == 1


def test_duration_cuts_rows_too(tmp_path):
    assert len(ok("sp-capture sim:telemetry,pace=0 --duration 3s -j", tmp_path).splitlines()) == 30


def test_what_a_sweep_leaves_out_is_skipped_and_not_lost(tmp_path):
    done = bash("sp-capture sim:fm,pace=0 --sweep 98M:102M:2M --dwell 30ms --rounds 1 -o s.avro -v", tmp_path)
    assert "skipped" in done.stderr and " lost 0" in done.stderr
    assert bash("sp-cat s.avro -o /dev/null", tmp_path).stderr == ""
    assert [list(json.loads(row)) for row in ok("sp-cat s.avro --gaps -j", tmp_path).splitlines()] == [
        ["channel", "sample", "skipped", "resumes"]
    ] * 2
    (facts,) = info("sp-cat s.avro", tmp_path)
    assert facts["gaps"] == 0 and facts["skipped"] > 0
