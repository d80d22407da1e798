"""Fewer rows: each as numpy itself works it out."""

import io

import fastavro
import numpy as np
import pytest

from sptools.formats.avro import rows as encoded
from sptools.record import Start
from sptools.relay.decimate import Fixed, Pick, Values, number_of, schema_of
from sptools.relay.thin import Stream

T0 = 1_777_000_000_000_000_000
TIME = {"name": "time", "type": {"type": "long", "logicalType": "timestamp-nanos"}}
DOUBLES = {"type": "record", "name": "Row", "fields": [TIME, *({"name": f"x{i}", "type": "double"} for i in range(4))]}
MIXED = {
    "type": "record", "name": "Rig", "fields": [
        TIME, {"name": "n", "type": "int"}, {"name": "v", "type": {"type": "double", "unit": "V"}},
        {"name": "maybe", "type": ["null", "double"]}, {"name": "f", "type": "float"}, {"name": "on", "type": "boolean"},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["a", "b"]}}, {"name": "text", "type": "string"},
    ],
}  # fmt: skip


def doubles(n, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 4)) * 1e3
    rows = [{"time": T0 + i, **{f"x{k}": x[i, k].item() for k in range(4)}} for i in range(n)]
    return rows, x


def mixed(n, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {"time": T0 + i, "n": int(rng.integers(-50, 50)), "v": float(rng.normal()),
         "maybe": float(rng.normal()) if rng.random() < 0.5 else None, "f": float(np.float32(rng.normal())),
         "on": bool(rng.random() < 0.5), "state": "ab"[int(rng.integers(2))], "text": f"row {i}"}
        for i in range(n)
    ]  # fmt: skip


class Kept:
    """A publisher that keeps what it is given."""

    def __init__(self):
        self.datagrams = []

    def rows(self, rows):
        self.datagrams += [row.tobytes() for slot in rows for row in slot]

    def one(self, datagram):
        self.datagrams.append(datagram)


def through(schema, rows, every, how, cuts, per_frame=1, mtu=1400):
    """Rows out of a stream that gets them in batches; the frames are read with fastavro."""
    from sptools.formats.avro import frame

    kept = Kept()
    stream = Stream(Start(schema, "rig", b"12345678", source={"channel": "rig"}), every, how, kept, mtu)
    encode, at = encoded.encode(schema), 0
    for n in cuts:
        part = rows[at : at + n * per_frame]
        body = encode(part)
        same = len({len(encode([row])) for row in part}) == 1
        if same:
            stream.feed(np.frombuffer(body, f"V{len(body) // n}"), per_frame)
        else:
            for i in range(0, len(part), per_frame):
                one = encode(part[i : i + per_frame])
                stream.feed(np.frombuffer(one, f"V{len(one)}"), per_frame)
        at += n * per_frame
    assert at == len(rows)
    target = fastavro.parse_schema(stream.out.start.schema)
    out = []
    for i, datagram in enumerate(kept.datagrams):
        assert len(datagram) <= mtu
        f = frame.decode(datagram)
        assert (f.channel, f.boot, f.seq) == ("rig", stream.out.start.boot, i) and f.boot != b"12345678"
        fo = io.BytesIO(f.body)
        out += [fastavro.schemaless_reader(fo, target) for _ in range(f.count)]
        assert not fo.read()
    for row in out:
        row["time"] = int(row["time"].timestamp() * 1e9) if not isinstance(row["time"], int) else row["time"]
    return out


@pytest.mark.parametrize("every", [1, 5, 7])
@pytest.mark.parametrize("per_frame", [1, 3])
@pytest.mark.parametrize("how", ["pick", "mean", "minmax", "rms"])
def test_doubles_are_numpys_own(how, every, per_frame):
    rows, x = doubles(210)
    cuts = [1, 2, 50, 10, 7] if per_frame == 3 else [1, 2, 150, 50, 7]
    out = through(DOUBLES, rows, every, how, cuts, per_frame)
    k = len(rows) // every
    groups = x[: k * every].reshape(k, every, 4)
    values = np.array([[row[f"x{i}"] for i in range(4)] for row in out])
    times = [row["time"] for row in out]
    first, last = [T0 + i * every for i in range(k)], [T0 + i * every + every - 1 for i in range(k)]
    if how == "pick":
        assert (values == x[::every]).all() and times == [T0 + i for i in range(0, 210, every)]
    elif how == "minmax":
        assert (values[::2] == groups.min(axis=1)).all() and (values[1::2] == groups.max(axis=1)).all()
        assert times[::2] == first and times[1::2] == last
    else:
        expected = groups.mean(axis=1) if how == "mean" else np.sqrt(np.mean(groups**2, axis=1))
        assert (values == expected).all() and times == first


@pytest.mark.parametrize("how", ["mean", "minmax", "rms", "pick"])
def test_mixed_rows(how):
    rows = mixed(61)
    out = through(MIXED, rows, 6, how, [1, 20, 40])
    groups = [rows[i : i + 6] for i in range(0, 60, 6)]
    if how == "pick":
        assert [(r["n"], r["text"]) for r in out] == [(r["n"], r["text"]) for r in rows[::6]]
        return
    of = {"mean": [np.mean], "rms": [lambda a: np.sqrt(np.mean(np.square(a, dtype=float)))], "minmax": [np.min, np.max]}[how]
    assert len(out) == len(groups) * len(of)
    for g, group in enumerate(groups):
        for k, f in enumerate(of):
            row = out[g * len(of) + k]
            for name in ("n", "v", "maybe"):
                there = [r[name] for r in group if r[name] is not None]
                assert row[name] == (f(np.array(there)) if there else None)
            assert row["f"] == np.float32(f(np.array([r["f"] for r in group])))
            assert (row["on"], row["state"], row["text"]) == (group[-1]["on"], group[-1]["state"], group[-1]["text"])
            assert row["time"] == group[-1 if f is np.max else 0]["time"]


def test_a_time_of_unusual_length_changes_the_way_not_the_result():
    rows, x = doubles(20)
    rows[11]["time"] = 5  # 1970: one byte
    out = through(DOUBLES, rows, 4, "mean", [9] + [1] * 11)
    assert [[row[f"x{i}"] for i in range(4)] for row in out] == x.reshape(5, 4, 4).mean(axis=1).tolist()


def test_a_mean_of_whole_numbers_is_none():
    thinned = schema_of(MIXED, "mean")
    assert [f["type"] for f in thinned["fields"]][:2] == [TIME["type"], "double"]
    assert schema_of(MIXED, "minmax") is MIXED
    assert MIXED["fields"][1]["type"] == "int"


def test_what_a_number_is():
    assert number_of({"type": "long", "logicalType": "timestamp-nanos"}) is None
    assert number_of(["null", {"type": "int", "unit": "1"}]) == "int"
    assert number_of(["int", "string"]) is None
    assert number_of("string") is None and number_of({"type": "array", "items": "double"}) is None


def test_phase_is_carried_over():
    pick = Pick(5)
    kept = [i for at in range(0, 40, 4) for i in list(range(at, at + 4))[pick.some(4)]]
    assert kept == [0, 5, 10, 15, 20, 25, 30, 35]


def test_nan_stays_nan():
    values = Values(MIXED, 2, "minmax")
    rows = mixed(2)
    rows[1]["v"] = float("nan")
    assert all(np.isnan(row["v"]) for row in values.feed(rows))


def test_only_time_and_doubles_are_fixed():
    assert Fixed.doubles(DOUBLES) == 4
    assert Fixed.doubles(MIXED) is None
    assert Fixed.doubles({"type": "record", "name": "R", "fields": [TIME]}) is None
