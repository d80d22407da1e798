"""Hostile streams: well-formed nonsense, schemas, bombs. Each costs its block or container, at status 65. Real processes.

Nothing that comes in may cause a traceback, a hang, more than 200 MiB, or a control byte on somebody's terminal."""

import struct
import zlib

import numpy as np
import pytest
from containers import NOW, block, header, iq, long, schema
from victim import SOAK, around, run

pytestmark = pytest.mark.timeout(3600 if SOAK else 120)
NAN, INF = float("nan"), float("inf")


# ------------------------------------------------------------ well-formed nonsense
ABSURD = {
    "rate 0": ({"rate": 0.0}, "rate of 0"),
    "rate negative": ({"rate": -1e6}, "rate of -1"),
    "rate NaN": ({"rate": NAN}, "rate of nan"),
    "rate infinite": ({"rate": INF}, "rate of inf"),
    "rate huge": ({"rate": 1e300}, "rate of 1e+300"),
    "rate tiny": ({"rate": 5e-324}, "at time"),
    "rate of years": ({"rate": 1e-9}, "at time"),
    "freq NaN": ({"freq": NAN}, "at nan Hz"),
    "freq huge": ({"freq": -1e300}, "frequency of -1e+300"),
    "sample at the end": ({"sample": 2**63 - 1, "time": NOW}, str(2**63 - 1)),
    "sample at the beginning": ({"sample": -(2**63), "time": NOW}, str(-(2**63))),
    "time at the end": ({"time": 2**63 - 1}, str(2**63 - 1)),
    "time at the beginning": ({"time": -(2**63)}, str(-(2**63))),
    "datatype unknown": ({"datatype": "zz99"}, "zz99"),
    "datatype of reals": ({"datatype": "ri16_le"}, "ri16_le"),
    "datatype long": ({"datatype": "c" * 100_000}, "text"),
    "channels 0": ({"channels": 0}, "0 channels"),
    "channels 10^9": ({"channels": 10**9}, "1000000000 channels"),
    "half a sample": ({"data": b"\x80" * 2001}, "fit"),
}


@pytest.mark.parametrize("name", ABSURD)
def test_an_absurd_block_costs_itself(name, tmp_path):
    fields, says = ABSURD[name]
    data = around(block(iq(**{"sample": 3000} | fields)))
    tools = ["sp-cat -o cu8:-", "sp-demod wbfm", "sp-psd"]
    for tool in tools if SOAK else ["sp-cat -o cu8:-", tools[1 + len(name) % 2]]:
        code, out, text = run(tmp_path, tool, data)
        assert code == 65, (tool, text)
        assert says in text.splitlines()[-1]
        assert "samples_in 5,000" in text and "lost 1,000" in text
        if tool.startswith("sp-cat"):
            assert len(out) == 10_000


@pytest.mark.parametrize("tool", ["sp-cat -t", "sp-cat --info", "sp-cat --last 1s -j", "sp-cat --since 2026-01-01 -t"])
@pytest.mark.parametrize("name", ["rate tiny", "sample at the end", "time at the end"])
def test_reports_of_an_absurd_block(name, tool, tmp_path):
    code, out, text = run(tmp_path, tool, around(block(iq(**{"sample": 3000} | ABSURD[name][0]))))
    assert code == 65 and out, text


@pytest.mark.parametrize(
    "fields",
    [{"time": -(10**18)}, {"time": 0}, {"freq": 0.0}, {"freq": -100e6}, {"gain": NAN}, {"gain": INF}, {"data": b""},
     {"sample": 2**61, "time": NOW}, {"time_error": 2**63 - 1}, {"rate": 1e6 + 1e-6}],
    ids=str,
)  # fmt: skip
def test_odd_but_possible(fields, tmp_path):
    data = around(block(iq(**{"sample": 3000} | fields)))
    tool = "sp-demod raw -r 500k" if SOAK or "time" in fields or "rate" in fields else "sp-cat"
    for line in (tool, "sp-cat -t"):
        code, data, text = run(tmp_path, line, data)
        assert code == 0, text


def test_a_rate_that_no_filter_is_designed_for(tmp_path):
    """1e10 samples/s: the demodulators say so; sp-cat copies it."""
    data = around(block(iq(3000, rate=1e10)))
    for mode in ("wbfm", "nbfm", "am", "raw -r 100k"):
        code, _, text = run(tmp_path, f"sp-demod {mode} -o x.avro", data)
        assert code == 65 and "1e+10 samples/s" in text
        # what stood before it is there, whole
        code, _, text = run(tmp_path, "sp-cat x.avro", b"")
        assert code == 0, text
    assert run(tmp_path, "sp-cat", data)[0] == 0


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_one_sample_that_is_no_number(bad, tmp_path):
    """A recursive filter would never forget it: its block is a gap, and what follows is sound."""
    blocks = []
    for i in range(20):
        x = np.full(20_000, 0.25, "<f4")
        x[7] = bad if i == 10 else x[7]
        blocks.append(block(iq(i * 10_000, datatype="cf32_le", data=x.tobytes())))
    data = header(schema("IQ")) + b"".join(blocks)
    for mode in ("wbfm", "am", "raw -r 200k"):
        code, out, text = run(
            tmp_path, f"sp-demod {mode} -o rf32_le:-" if mode != "raw -r 200k" else f"sp-demod {mode} -o cf32_le:-", data
        )
        assert code == 65 and f"{bad} at sample 100003" in text and "lost 10,000" in text, text
        y = np.frombuffer(out, "<f4")
        assert len(y) and np.isfinite(y).all()
    code, _, text = run(tmp_path, "sp-cat -t", data)  # a copy is a copy
    assert code == 0


def test_samples_that_overflow_do_not_reach_stderr(tmp_path):
    x = np.full(2000, 3e38, "<f4").tobytes()
    data = around(block(iq(3000, datatype="cf32_le", data=x)))
    for line in ("sp-cat -t", "sp-cat -o cf32_le:-", "sp-demod am -t", "sp-psd -t"):
        code, _, text = run(tmp_path, line, data)
        assert code in (0, 65) and all(row.startswith(line.split()[0]) for row in text.splitlines()), text


# ------------------------------------------------------------ schemas
def deep(n):
    """The schema's bytes: json cannot write it."""
    start = "".join(f'{{"type": "record", "name": "r{i}", "fields": [{{"name": "x", "type": ' for i in range(n))
    return (start + '"long"' + "}]}" * n).encode()


def altered(**types):
    changed = schema("IQ")
    for field in changed["fields"]:
        field["type"] = types.get(field["name"], field["type"])
    return changed


RECURSIVE = {"type": "record", "name": "R", "fields": [{"name": "r", "type": ["null", "R"]}]}
NULLS = {"type": "record", "name": "N", "fields": [{"name": "n", "type": {"type": "array", "items": "null"}}]}


def wide(n):
    return {"type": "record", "name": "W", "fields": [{"name": f"f{i}", "type": "long"} for i in range(n)]}


SCHEMAS = {
    "recursive, 5,000 deep in the data": (RECURSIVE, b"\x02" * 5000 + b"\0", 1),
    "900 deep": (deep(900), b"\x02", 1),
    "array of nulls": (NULLS, long(2**40) + b"\0", 1),
    "10,000 fields too many in the data": (wide(10_000), b"\0" * 9_000, 1),
    "no bytes a row": ({"type": "record", "name": "E", "fields": []}, b"", 2**40),
    "not JSON": (b"{'name': IQ}", iq(), 1),
    "not text": (b"\xff\xfe\0\0", iq(), 1),
    "JSON 100,000 deep": (b"[" * 100_000, iq(), 1),
    "a number": (b"5000" * 2000, iq(), 1),
    "no fields": ({"type": "record", "name": "IQ", "namespace": "sptools"}, iq(), 1),
    "IQ whose data is an int": (altered(data="int"), b"\0" * 60, 1),
    "IQ whose sample is a text": (altered(sample="string"), b"\0" * 60, 1),
    "IQ whose data is an array": (altered(data={"type": "array", "items": "float"}), b"\0" * 60, 1),
    "IQ whose rate is a map": (altered(rate={"type": "map", "values": "null"}), b"\0" * 60, 1),
    "a million rows in two bytes": (schema("IQ"), b"\0\0", 10**6),
    "a negative count": (schema("IQ"), iq(), -1),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_hostile_schema(name, tmp_path):
    """The container is refused; the one behind it is read."""
    kind, payload, count = SCHEMAS[name]
    data = header(kind) + block(payload, count) * 2 + header(schema("IQ")) + block(iq())
    code, out, text = run(tmp_path, "sp-cat -o cu8:-" if "IQ" in name else "sp-cat -t", data)
    assert code == 65, (code, out[:200], text)
    assert out, text


def test_a_header_of_100_000_fields(tmp_path):
    """3 MB of schema, beyond what a header may have: it is refused before anything is built of it. 10,000 are read."""
    for n, codes in ((100_000, (65,)), (60_000, (0, 65)), (10_000, (0,))):
        code, _, text = run(tmp_path, "sp-cat --info", header(wide(n)) + block(b"\0" * n))
        assert code in codes, text


# ------------------------------------------------------------ bombs
def zstd_bomb(size, *, stated):
    """A frame of run-length blocks: four bytes each become 128 KiB. Source: RFC 8878 §3.1.1."""
    blocks = size >> 17
    # single segment with an 8-byte content size, or a window of 8 MiB and no size
    start = b"\xe0" + struct.pack("<Q", size) if stated else b"\0" + bytes([13 << 3])
    run_ = lambda last: struct.pack("<I", (1 << 17) << 3 | 1 << 1 | last)[:3] + b"\0"
    return b"\x28\xb5\x2f\xfd" + start + run_(0) * (blocks - 1) + run_(1)


def deflate_bomb(size):
    """The same 16 MiB of zeros again and again; a full flush makes them independent of one another."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = deflate.compress(bytes(1 << 24)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return piece * (size >> 24) + zlib.compressobj(9, zlib.DEFLATED, -15).flush()


BOMBS = {
    "zstandard": lambda: zstd_bomb(1 << 32, stated=True),
    "zstandard, size not stated": lambda: zstd_bomb(1 << 32, stated=False),
    "deflate": lambda: deflate_bomb(1 << 32),
    "deflate, just too much": lambda: deflate_bomb(1 << 25),
}


@pytest.mark.parametrize("tool", ["sp-cat -o cu8:-", "sp-demod wbfm"])
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_its_block(name, tool, tmp_path):
    code, _, text = run(tmp_path, tool, around(block(BOMBS[name]()), codec=name.split(",")[0]))
    assert code == 65 and "grows beyond" in text, text
    assert "samples_in 5,000" in text and "lost 1,000" in text
