"""CSV: what the standard reader sees, what comes back, and rtl_power's layout."""

import csv as stdlib
import json

import numpy as np
import pytest
from format_io import EPOCH, blocks, get, put
from test_jsonl import SCHEMA, message, rows_of, spectrum

from sptools.errors import BadData, NoInput
from sptools.formats import csv
from sptools.record import Rows, Start


def table(path):
    with open(path, newline="") as f:
        return list(stdlib.DictReader(f, strict=True))


def read_text(tmp_path, text, **keys):
    (tmp_path / "in.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return get(csv, tmp_path / "in.csv", **keys)


def start(*names):
    return Start({"type": "record", "name": "r", "fields": [{"name": name, "type": "string"} for name in names]})


def test_blocks_and_messages(tmp_path):
    put(csv, tmp_path / "a.csv", blocks([10, 20]))
    assert [row["count"] for row in table(tmp_path / "a.csv")] == ["10", "20"]
    put(csv, tmp_path / "b.csv", [message(icao="4840D6", ok=True), message()])
    first, second = table(tmp_path / "b.csv")
    assert json.loads(first["fields"]) == {"icao": "4840D6", "ok": True} and second["fields"] == "{}"
    assert first["time"].startswith("2026-05-28T20:26:40.123456789")


def test_rows_come_back(tmp_path):
    texts = ["a,b", 'q"q', "l1\nl2", "", "é", "007"]
    values = [{"time": EPOCH + k, "x": k / 7, "s": s, "ok": k > 1, "n": None} for k, s in enumerate(texts)]
    values[0]["n"] = 1
    put(csv, tmp_path / "x.csv", [start("time", "x", "s", "ok", "n"), Rows(values)])
    assert [row["s"] for row in table(tmp_path / "x.csv")] == [v["s"] for v in values]
    found, problem = get(csv, tmp_path / "x.csv")
    values[3]["s"] = None
    values[0]["x"] = 0.0
    assert problem is None and rows_of(found) == values


def test_columns_follow_the_schema_and_may_not_change(tmp_path):
    put(csv, tmp_path / "x.csv", [start("b", "a"), Rows([{"a": 1, "b": 2}])])
    assert (tmp_path / "x.csv").read_bytes() == b"b,a\r\n2,1\r\n"
    with pytest.raises(BadData, match="one set"):
        put(csv, tmp_path / "y.csv", [start("a"), Rows([{"a": 1}]), start("b"), Rows([{"b": 1}])])
    with pytest.raises(BadData, match="one set"):
        put(csv, tmp_path / "y.csv", [start("a"), Rows([{"a": 1}]), spectrum([1, 2])])


def test_spectra_as_rtl_power_writes_them(tmp_path):
    put(csv, tmp_path / "x.csv", [spectrum([-1, 2.345, np.nan, 4]), spectrum([1, 2, 3, 4])])
    first, _ = (tmp_path / "x.csv").read_text().splitlines()
    assert first == "2026-05-28, 20:26:40, 98700000, 100700000, 500000.00, 40, -1.00, 2.35, nan, 4.00"


def test_types_are_guessed(tmp_path):
    found, problem = read_text(
        tmp_path, "time,a,b,c,d,e\n2026-05-28T20:26:40Z,1,1.5,true,007,\n2026-05-28 20:26:41,-2,1e3,false,x,nan\n"
    )
    assert problem is None
    assert rows_of(found) == [
        {"time": 1_780_000_000 * 10**9, "a": 1, "b": 1.5, "c": True, "d": "007", "e": None},
        {"time": 1_780_000_001 * 10**9, "a": -2, "b": 1000.0, "c": False, "d": "x", "e": None},
    ]


def test_with_a_schema(tmp_path):
    (tmp_path / "tel.avsc").write_text(json.dumps(SCHEMA))
    found, problem = read_text(
        tmp_path, "time,state,temperature_C,n\n1,on,20,3\n2,off,,4\n3,maybe,1,1\n", schema=str(tmp_path / "tel.avsc")
    )
    assert [(row["time"], row["temperature_C"], row["n"]) for row in rows_of(found)] == [(1, 20.0, 3), (2, None, 4)]
    assert isinstance(problem, BadData) and "line 4 " in str(problem)


@pytest.mark.parametrize(
    "line, says",
    [
        (b"1", "1 cells under 2 names"),
        (b"1,2,3", "3 cells under 2 names"),
        (b'"1"x,2', "not CSV"),
        (b"\xff,2", "not UTF-8"),
        (b"x" * 70000 + b",2", "longer than"),
    ],
)
def test_a_bad_line_costs_itself(tmp_path, line, says):
    found, problem = read_text(tmp_path, b"a,b\r\n1,2\r\n" + line + b"\r\n3,4\r\n")
    assert rows_of(found) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert isinstance(problem, BadData) and "line 3 " in str(problem) and says in str(problem)


def test_an_open_quote_does_not_swallow_the_rest(tmp_path):
    text = 'a,b\n1,2\n"3,4\n' + "5,6\n" * 40_000
    found, problem = read_text(tmp_path, text)
    assert len(rows_of(found)) > 20_000 and isinstance(problem, BadData) and "line 3 opens a quote" in str(problem)
    found, problem = read_text(tmp_path, 'a,b\n1,2\n"3,4\n')
    assert len(rows_of(found)) == 1 and "line 3 opens a quote" in str(problem)


@pytest.mark.parametrize("text", ["a,a\n1,2\n", "a,,b\n1,2,3\n"])
def test_names_must_be_there_and_differ(tmp_path, text):
    found, problem = read_text(tmp_path, text)
    assert not found and isinstance(problem, BadData)


def test_nothing(tmp_path):
    assert isinstance(read_text(tmp_path, "")[1], NoInput)
    assert read_text(tmp_path, "a,b\n") == ([], None)
