"""Records through containers and back, also through fastavro, in both directions."""

import io
import json
import threading
from dataclasses import asdict

import fastavro
import numpy as np
import pytest
from avro_memory import TELEMETRY, Source, Target, got, iq, messages, rows, same, spectra, written

from sptools import errors, record
from sptools.formats import avro
from sptools.formats.avro import schema as schemas
from sptools.schemas import built_in
from sptools.transports.file import Input, Output

CODECS = ("null", "deflate", "zstandard")
KINDS = {"IQ": iq, "Spectrum": spectra, "Message": messages, "Rows": rows}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", KINDS)
def test_round_trip_in_any_reads(kind, codec):
    items = KINDS[kind]()
    data = written(items, codec=codec)
    for step in (1, 7, 1000, 1 << 30):
        back, problem = got(data, step)
        assert problem is None
        start = back.pop(0)
        assert (start.channel, start.boot, start.first, start.lost, start.codec) == (
            items[0].channel, b"bootboot", 0, 0, codec
        )  # fmt: skip
        assert start.source == items[0].source | {"channel": start.channel}
        assert len(back) == len(items) - 1 and all(map(same, items[1:], back))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", KINDS)
def test_fastavro_reads_ours(kind, codec):
    items = KINDS[kind]()
    found = list(fastavro.reader(io.BytesIO(written(items, codec=codec))))
    wanted = items[1].values if kind == "Rows" else [asdict(item) for item in items[1:]]
    if kind != "Rows":
        for row in found:
            row["time"] = int(row["time"])
    assert found == wanted


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("interval", (1, 16000))
def test_we_read_fastavros(kind, codec, interval):
    items = KINDS[kind]()
    file = io.BytesIO()
    plain = schemas.plain(items[0].schema)
    values = items[1].values if kind == "Rows" else [asdict(item) for item in items[1:]]
    fastavro.writer(file, plain, values, codec=codec, sync_interval=interval)
    back, problem = got(file.getvalue(), 1000)
    assert problem is None and back[0].channel == "" and back[0].boot == b"" and back[0].codec == codec
    if kind == "Rows":
        assert [row for item in back[1:] for row in item.values] == values
    else:
        assert back[1:] == items[1:]


def test_empty_container_is_a_start_and_nothing_is_no_input():
    back, problem = got(written(iq(0)))
    assert len(back) == 1 and problem is None
    with pytest.raises(errors.NoInput):
        next(avro.read(Source(b"")))


def test_header_comes_at_once_and_rows_wait_for_flush():
    target = Target()
    sink = avro.write(target)
    start, message = messages(1)
    sink.put(start)
    header = len(target.data)
    assert got(bytes(target.data))[0][0].channel == "site/adsb"
    sink.put(message)
    assert len(target.data) == header
    sink.flush()
    assert got(bytes(target.data))[0][1] == message


def test_block_numbers_go_on_per_channel_and_boot():
    a, b = iq(3), messages(2)
    first = [start.first for start in got(written(a + b + a + b))[0] if isinstance(start, record.Start)]
    assert first == [0, 0, 3, 1]  # the messages of one flush are one block
    other = record.Start(a[0].schema, "site/iq", b"another.")
    gap = record.Start(a[0].schema, "site/iq", b"bootboot", lost=4)
    starts = [i for i in got(written([*a, other, a[1], gap, a[1]]))[0] if isinstance(i, record.Start)]
    assert [(s.first, s.lost) for s in starts] == [(0, 0), (0, 0), (7, 4)]


def test_a_start_without_boot_gets_one():
    starts = got(written([record.Start(built_in("IQ"))] * 2))[0]
    assert len(starts[0].boot) == 8 and starts[0].boot == starts[1].boot


def test_concatenated_containers_of_every_kind_and_codec():
    data = b"".join(written(KINDS[k](), codec=c) for k in KINDS for c in CODECS) + written(iq()) * 2
    back, problem = got(data, 4096)
    assert problem is None
    assert [i.name for i in back if isinstance(i, record.Start)] == [
        name for name in ("IQ", "Spectrum", "Message", "tel") for _ in CODECS
    ] + ["IQ", "IQ"]


@pytest.mark.parametrize("kind", ("IQ", "Message"))
def test_other_versions_of_our_schemas_are_resolved(kind):
    items = KINDS[kind]()
    newer = json.loads(json.dumps(built_in(kind)))
    newer["fields"].append({"name": "added", "type": "int", "default": 3})
    older = json.loads(json.dumps(built_in(kind)))
    older["fields"] = [f for f in older["fields"] if f["name"] != "time_error"]
    for schema in (newer, older):
        file = io.BytesIO()
        fastavro.writer(file, schemas.plain(schema), [asdict(i) | {"added": 1} for i in items[1:]])
        back, problem = got(file.getvalue())
        assert problem is None and back[1:] == items[1:]


def test_any_array_is_written_and_read_as_it_lies():
    samples = np.arange(-1000, 1000, dtype="<i2")
    start, *_ = iq(0)
    block = record.IQ(1, 0, 1e6, datatype="ci16_le", data=samples)
    back, _ = got(written([start, block]))
    assert back[1].count == 1000 and np.array_equal(record.components(back[1]), samples)


def test_data_stay_valid_while_held():
    items = iq(100, 40_000)
    held = [item for item in avro.read(Source(written(items), 65536)) if isinstance(item, record.IQ)]
    assert all(bytes(h.data) == i.data for h, i in zip(held, items[1:], strict=True))
    with pytest.raises(TypeError):
        held[0].data[0] = 1


def test_buffers_are_used_again(monkeypatch):
    from sptools.formats.avro import window

    made = []
    monkeypatch.setattr(window, "bytearray", lambda n: made.append(n) or bytearray(n), raising=False)
    for item in avro.read(Source(written(iq(200, 50_000)))):
        assert item is not None
    assert len(made) <= 4


def test_a_long_null_block_is_streamed_with_its_own_times():
    n = 10 << 20
    data = np.random.default_rng(1).integers(0, 255, 2 * n, "u1").tobytes()
    items = iq(2)
    long = record.IQ(10**18, 5, 3e6, datatype="cu8", data=data)
    blocks = [i for i in avro.read(Source(written([*items, long, items[1]]), 100_000)) if isinstance(i, record.IQ)]
    pieces = blocks[2:-1]
    assert b"".join(bytes(p.data) for p in pieces) == data and blocks[-1].data == items[1].data
    assert max(len(p.data) for p in pieces) <= 256 << 10
    for p in pieces:
        assert p.time == 10**18 + round((p.sample - 5) * 1000 / 3)


def test_a_long_block_of_rows_is_split():
    schema = {"type": "record", "name": "t", "fields": [{"name": "b", "type": "bytes"}, {"name": "k", "type": "long"}]}
    values = [{"b": bytes(5000), "k": k} for k in range(3500)]
    file = io.BytesIO()
    fastavro.writer(file, schema, values, sync_interval=1 << 30)
    back, problem = got(file.getvalue(), 65536)
    assert problem is None and len(back) > 3 and [row for r in back[1:] for row in r.values] == values


def test_rows_undecoded_are_copied():
    data = written(rows())
    copy = written(avro.read(Source(data)), codec="deflate")
    assert list(fastavro.reader(io.BytesIO(copy))) == list(fastavro.reader(io.BytesIO(data)))


def test_logical_types_stay_integers():
    schema = {"type": "record", "name": "t", "fields": [
        {"name": "time", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}  # fmt: skip
    back, _ = got(written([record.Start(schema), record.Rows([{"time": 2**60}])]))
    assert back[1].values == [{"time": 2**60}]


def test_a_row_that_does_not_fit_names_itself():
    with pytest.raises(errors.BadData, match="x_V"):
        written([record.Start(TELEMETRY), record.Rows([{"time": 1, "x_V": "text", "note": None, "many": []}])])


def test_unknown_codec_is_a_usage_error():
    with pytest.raises(errors.Usage, match="zstandard"):
        avro.write(Target(), codec="snappy")


def test_through_a_pipe(tmp_path):
    import os

    os.mkfifo(tmp_path / "p")
    items = iq(50, 100_000)

    def write():
        sink = avro.write(Output(str(tmp_path / "p")))
        for item in items:
            sink.put(item)
        sink.close()

    thread = threading.Thread(target=write)
    thread.start()
    source = Input(str(tmp_path / "p"))
    for wanted, found in zip(items, avro.read(source), strict=True):
        if isinstance(wanted, record.IQ):
            assert bytes(found.data) == wanted.data
    thread.join(10)


def test_scan_gives_blocks_undecoded():
    data = written(iq(3), codec="zstandard") + written(rows())
    events = list(avro.scan(Source(data)))
    assert [type(e).__name__ for e in events] == ["Header", "Block", "Block", "Block", "Header", "Block"]
    for event in events:
        assert data[event.offset :].startswith(b"Obj\x01") == (type(event).__name__ == "Header")
    assert events[-1].count == 300 and avro.first_bytes_are_container(data[:4])
