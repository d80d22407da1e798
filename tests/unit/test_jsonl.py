"""JSON lines: every record is a line that any JSON reader takes; hostile lines cost themselves only."""

import json
import math
import os

import numpy as np
import pytest
from format_io import EPOCH, blocks, get, piped, put

from sptools.errors import BadData, NoInput, Usage
from sptools.formats import jsonl
from sptools.record import Message, Rows, Spectrum, Start
from sptools.transports.file import Input

ISO = "2026-05-28T20:26:40.123456789Z"
SCHEMA = {
    "type": "record", "name": "tel", "fields": [
        {"name": "time", "type": {"type": "long", "logicalType": "timestamp-nanos"}},
        {"name": "temperature_C", "type": ["null", "float"], "default": None},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["on", "off"]}},
        {"name": "place", "type": ["null", {"type": "record", "name": "Place", "fields": [
            {"name": "lat", "type": "double"}, {"name": "tags", "type": {"type": "array", "items": "string"}}]}]},
        {"name": "raw", "type": "bytes", "default": ""},
        {"name": "n", "type": "int", "default": 7},
    ],
}  # fmt: skip


def message(**fields):
    return Message(EPOCH, 5, 1090e6, -12.345, "adsb", "8d4840d6", "crc", fields)


def spectrum(values, **more):
    data = np.array(values, np.float32)
    return Spectrum(EPOCH, 0, 2e6, 99.7e6, 2e6, 1500.0, 10, "hann", "mean", data, **more)


def lines(path):
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def rows_of(items):
    return [row for item in items if isinstance(item, Rows) for row in item.values]


def read_text(tmp_path, text, **keys):
    (tmp_path / "in.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    return get(jsonl, tmp_path / "in.jsonl", **keys)


def test_every_record_is_a_line(tmp_path):
    rows = Rows([{"time": 5, "x": float("nan"), "b": b"\1\xff", "l": [1.5, None]}, {"time": 6, "x": math.inf}])
    others = [message(icao="4840D6", altitude_ft=38000), spectrum([-1, 2.345, np.nan]), rows]
    put(jsonl, tmp_path / "x.jsonl", blocks([100]) + others)
    block, adsb, spec, *plain = lines(tmp_path / "x.jsonl")
    assert block["count"] == 100 and block["gain"] is None and block["time"] == ISO and "data" not in block
    assert adsb["altitude_ft"] == 38000 and adsb["level"] == -12.35 and adsb["time"] == ISO and "fields" not in adsb
    assert spec["values"] == [-1, 2.35, None] and spec["rbw"] == 1500 and "data" not in spec
    assert plain == [{"time": 5, "x": None, "b": "01ff", "l": [1.5, None]}, {"time": 6, "x": None}]


def test_a_field_never_hides_a_common_one(tmp_path):
    put(jsonl, tmp_path / "x.jsonl", [message(time=1, level=2.0, icao="a")])
    (line,) = lines(tmp_path / "x.jsonl")
    assert (line["time"], line["adsb_time"], line["adsb_level"]) == (ISO, 1, 2.0)


def test_lines_of_one_block_are_one_write():
    """`prompt`: the loop flushes after each block of the input."""

    class Out:
        name, written = "x", []

        def write(self, *buffers):
            self.written.append(b"".join(buffers))

    sink = jsonl.write(Out())
    sink.put(message())
    sink.put(message())
    assert sink.prompt and not Out.written
    sink.flush()
    sink.flush()
    assert len(Out.written) == 1 and Out.written[0].count(b"\n") == 2 and Out.written[0].endswith(b"\n")


def test_rows_come_back(tmp_path):
    values = [{"time": EPOCH + k, "temperature_C": k / 3, "name": f"é{k}", "ok": k % 2 == 0, "n": None} for k in range(2500)]
    values[0]["n"] = 3
    put(jsonl, tmp_path / "x.jsonl", [Rows(values)])
    found, problem = get(jsonl, tmp_path / "x.jsonl")
    assert problem is None and rows_of(found) == values
    assert isinstance(found[0], Start) and sum(isinstance(item, Start) for item in found) == 1
    assert {f["name"]: f["type"][1] for f in found[0].schema["fields"]} == {
        "time": {"type": "long", "logicalType": "timestamp-nanos"},
        "temperature_C": "double", "name": "string", "ok": "boolean", "n": "long",
    }  # fmt: skip


def test_the_guessed_schema_is_avro(tmp_path):
    import io

    import fastavro

    found, _ = read_text(tmp_path, '{"time": "2026-05-28T20:26:40.5Z", "a b": 1, "7": [1, {}], "é": null}\n')
    schema, rows = found[0].schema, rows_of(found)
    assert rows == [{"time": 1_780_000_000_500_000_000, "a_b": 1, "_7": "[1, {}]", "_": None}]
    data = io.BytesIO()
    fastavro.writer(data, schema, rows)
    data.seek(0)
    assert [row["a_b"] for row in fastavro.reader(data)] == [1]


def test_a_row_that_does_not_fit_widens_the_schema_with_a_new_header(tmp_path):
    found, problem = read_text(tmp_path, '{"a": 1}\n{"a": 2}\n{"a": 2.5}\n{"a": null, "b": true}\n{"b": "x"}\n')
    assert problem is None
    starts = [item for item in found if isinstance(item, Start)]
    assert [start.first for start in starts] == [0, 1, 2, 3] and len({start.boot for start in starts}) == 1
    assert rows_of(found) == [{"a": 1}, {"a": 2}, {"a": 2.5}, {"a": None, "b": True}, {"a": None, "b": "x"}]
    kinds = [" ".join(field["type"][1] for field in start.schema["fields"]) for start in starts]
    assert kinds == ["long", "double", "double boolean", "double string"]


@pytest.mark.parametrize(
    "line, says",
    [
        (b"{", "not JSON"),
        (b"[1]", "not an object"),
        (b"3", "not an object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": ' + b"9" * 30 + b"}", "64 bits"),
        (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"a": "' + b"x" * 70000 + b'"}', "longer than"),
        (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", "deeper than 32"),
        (b'{"a": ' * 10000, "deeper than 32"),
        (b'{"time": "2026-99-01"}', "time"),
        (b"\0\0\0", "not JSON"),
    ],
)
def test_a_hostile_line_costs_itself(tmp_path, line, says):
    found, problem = read_text(tmp_path, b'{"a": 1, "time": 2}\n' + line + b'\n\n{"a": 3, "time": 4}\n' + line + b"\n")
    assert rows_of(found) == [{"a": 1, "time": 2}, {"a": 3, "time": 4}]
    assert isinstance(problem, BadData) and "line 2 " in str(problem) and "1 more" in str(problem)
    assert says in str(problem)


def test_hostile_names_are_bounded(tmp_path):
    text = "".join(json.dumps({f"k{k}_{i}": 0 for i in range(600)}) + "\n" for k in range(3))
    found, problem = read_text(tmp_path, text)
    assert len(rows_of(found)) == 1 and "different fields" in str(problem)


def test_a_cut_last_line(tmp_path):
    found, problem = read_text(tmp_path, '{"a": 1}\n{"a": 2')
    assert rows_of(found) == [{"a": 1}] and isinstance(problem, BadData) and "ends in the middle" in str(problem)
    found, problem = read_text(tmp_path, '{"a": 1}\r\n{"a": 2}')
    assert rows_of(found) == [{"a": 1}, {"a": 2}] and problem is None


def test_byte_order_mark_and_empty_lines(tmp_path):
    found, problem = read_text(tmp_path, b'\xef\xbb\xbf{"a": 1}\n\n  \n{"a": 2}\n')
    assert problem is None and [row["a"] for row in rows_of(found)] == [1, 2]


def test_nothing(tmp_path):
    assert isinstance(read_text(tmp_path, "")[1], NoInput)
    assert read_text(tmp_path, "\n") == ([], None)


def test_with_a_schema(tmp_path):
    (tmp_path / "tel.avsc").write_text(json.dumps(SCHEMA))
    good = '{"time": "2026-05-28T20:26:40.000000001Z", "state": "on", "place": {"lat": 1, "tags": ["x"]}, "raw": "00ff"}\n'
    found, problem = read_text(tmp_path, good, schema=str(tmp_path / "tel.avsc"))
    assert problem is None and found[0].schema == SCHEMA
    place = {"lat": 1.0, "tags": ["x"]}
    (row,) = rows_of(found)
    assert row.pop("time") == 1_780_000_000_000_000_001
    assert row == {"temperature_C": None, "state": "on", "place": place, "raw": b"\0\xff", "n": 7}
    bad = [
        '{"time": 1, "state": "maybe", "place": null}', '{"time": 1.5, "state": "on", "place": null}',
        '{"state": "on", "place": null}', '{"time": 1, "state": "on", "place": {"lat": "x", "tags": []}}',
        '{"time": 1, "state": "on", "place": null, "n": 2147483648}', '{"time": 1, "state": "on", "place": null, "raw": "0"}',
        '{"time": 1, "state": "on", "place": null, "humidity": 3}', '{"time": true, "state": "on", "place": null}',
    ]  # fmt: skip
    for line in bad:
        found, problem = read_text(tmp_path, good + line + "\n" + good, schema=str(tmp_path / "tel.avsc"))
        assert len(rows_of(found)) == 2 and isinstance(problem, BadData) and "line 2 " in str(problem), line


@pytest.mark.parametrize(
    "text", ["", "[", "{}", '"long"', '{"type": "record", "name": "x"}', '{"type": "record", "fields": [3]}']
)
def test_bad_schemas(tmp_path, text):
    (tmp_path / "s.avsc").write_text(text)
    assert isinstance(read_text(tmp_path, '{"a": 1}\n', schema=str(tmp_path / "s.avsc"))[1], Usage)
    assert isinstance(read_text(tmp_path, '{"a": 1}\n', schema=str(tmp_path / "none.avsc"))[1], NoInput)


def test_live_rows_do_not_wait(tmp_path):
    """A row is handed on while the writer still holds the pipe open."""
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    source = Input(path)
    os.write(writer, b'{"a": 1}\n{"a": 2}\n{"a"')
    items = jsonl.read(source)
    assert isinstance(next(items), Start) and next(items).values == [{"a": 1}, {"a": 2}]
    os.write(writer, b": 3}\n")
    assert next(items).values == [{"a": 3}]
    os.close(writer)
    source.close()


def test_through_a_pipe_in_pieces(tmp_path):
    text = "".join(f'{{"a": {k}}}\n' for k in range(20_000)).encode()
    found = piped(tmp_path, lambda source: list(jsonl.read(source)), text)
    assert [row["a"] for row in rows_of(found)] == list(range(20_000))
