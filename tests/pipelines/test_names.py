"""Control bytes in names, from streams, files and command lines, reach no terminal (S18). Real processes."""

import json

import pytest
from containers import NOW, block, datum, header, iq, schema
from shell import bash
from victim import run, tame

EVIL = "n/\x1b[2J\x1b]0;owned\x07\r\n\x85\x9b31m\u202e\x7f\0x"
ROW = {"type": "record", "name": "Row", "fields": [{"name": "time", "type": "long"}, {"name": "text", "type": "string"}]}
LINES = ["-t", "--info", "--gaps", "--check", "--channel nosuch", "--channel nosuch -t", "-v -t", "--info -j", "-j"]


@pytest.mark.parametrize("flags", LINES)
def test_control_bytes_in_names(flags, tmp_path):
    source = json.dumps({"channel": EVIL, "device": EVIL, "node": EVIL})
    start = lambda kind, n: header(
        kind, **{"sptools.source": source, "sptools.boot": "0123456789abcdef", "sptools.first": str(n)}
    )
    values = {"time": NOW, "time_error": -1, "clock": "none", "sample": 0, "freq": 0.0, "level": 0.0, "protocol": EVIL,
              "raw": EVIL, "valid": "none", "fields": {EVIL: EVIL}}  # fmt: skip
    data = (
        start(schema("IQ"), 0) + block(iq()) + block(iq(5000)) + start(ROW, 0) + block(datum(ROW, {"time": NOW, "text": EVIL}))
        + start(ROW, 9) + block(datum(ROW, {"time": NOW, "text": EVIL}))
        + header(schema("Message"), channel="n/\x9b2J") + block(datum(schema("Message"), values))
    )  # fmt: skip
    code, out, text = run(tmp_path, f"sp-cat {flags}", data)
    assert code in (0, 65, 66), text
    assert tame(out), out
    assert tame(text.encode()), text
    assert out or "nosuch" in flags or "--check" in flags or "gaps" in flags


def test_control_bytes_elsewhere(tmp_path):
    name = "x\x1b[31m\n.avro"
    (tmp_path / name).write_bytes(
        header(schema("IQ"), channel=EVIL) + block(iq()) + header(schema("IQ"), channel="n/b") + block(iq())
    )
    quoted = f"'{name}'"
    for line in (
        f"sp-cat {quoted} --info", f"sp-cat {quoted} --check", f"sp-cat {quoted} {quoted}.no -t", f"sp-psd {quoted} -t",
        f"sp-demod wbfm {quoted} -t", f"sp-demod {quoted}", f"sp-capture {quoted}", f"sp-cat --{quoted}",
        f"sp-cat --since {quoted} x",
        f"sp-capture sim:{quoted}", f"sp-capture sim:fm,pace=0 -f {quoted}", f"sp-capture sim:fm,pace=0 -n 5 --name {quoted} -t",
        f"SP_CAT_COUNT={quoted} sp-cat x",
    ):  # fmt: skip
        done = bash(f"{line} < /dev/null", tmp_path)
        assert tame(done.stdout.encode()) and tame(done.stderr.encode()), (line, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr and "bug" not in done.stderr, (line, done.stderr)
        assert done.returncode in (0, 2, 65, 66, 78), (line, done.returncode, done.stderr)
