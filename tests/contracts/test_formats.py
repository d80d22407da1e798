"""What every format that the registry names promises, whatever it is."""

import os
import random

import numpy as np
import pytest

from sptools import registry
from sptools.clock import span
from sptools.errors import BadData, NoInput, SpError, Usage
from sptools.record import IQ, Audio, Message, Rows, Spectrum, Start, component, components, is_complex
from sptools.schemas import built_in
from sptools.transports.file import Input, Output

NAMES = registry.names("formats")
MODULES = {name: registry.load("formats", name) for name in NAMES}
READERS = [name for name in NAMES if hasattr(MODULES[name], "read")]
WRITERS = [name for name in NAMES if hasattr(MODULES[name], "write")]
BOTH = [name for name in READERS if name in WRITERS]
SUFFIX = {"sigmf": ".sigmf-meta"}
EPOCH = 1_780_000_000_000_000_000
RATE = 48000.0


def keys(name):
    """What a reader must be told that a file of this format does not say."""
    required = "rate" in [s.name for s in registry.describe("formats", name, "read").settings]
    return {"rate": RATE} if required else {}


def place(tmp_path, name):
    return str(tmp_path / ("x" + SUFFIX.get(name, "." + name)))


def samples(datatype, skip=0):
    """Three blocks, with `skip` samples missing before the last."""
    record = IQ if is_complex(datatype) else Audio
    rng = np.random.default_rng(1)
    items = [Start(built_in(record.__name__), "site/x", b"12345678", source={"device": "test"})]
    for sample, n in ((0, 3000), (3000, 100_000), (103_000 + skip, 5)):
        noise = rng.normal(0, 0.2, n * (2 if is_complex(datatype) else 1))
        dtype = component(datatype)
        data = (noise * 100 + 100 * (dtype.kind == "u") if dtype.kind != "f" else noise).astype(dtype)
        items.append(record(EPOCH + span(sample, RATE), sample, RATE, datatype=datatype, data=data))
    return items


def records():
    """One channel of each other kind."""
    spectrum = Spectrum(EPOCH, 0, 2e6, 1e8, 2e6, 1500.0, 3, "hann", "mean", np.arange(64, dtype="<f4"))
    message = Message(EPOCH, 7, 1.09e9, -12.5, "adsb", "8d4840d6", "crc", {"icao": "4840D6", "altitude_ft": 38000})
    schema = {
        "type": "record", "name": "tel",
        "fields": [{"name": "time", "type": "long"}, {"name": "x", "type": "double"}],
    }  # fmt: skip
    return {
        "Spectrum": [Start(built_in("Spectrum"), "site/psd"), spectrum],
        "Message": [Start(built_in("Message"), "site/adsb"), message],
        "Rows": [Start(schema, "site/tel"), Rows([{"time": EPOCH + k, "x": k / 8} for k in range(500)])],
    }


STREAMS = {d: samples(d) for d in ("cu8", "ci8", "ci16_le", "cf32_le", "ri16_le", "rf32_le")} | records()


def put(name, path, items):
    """Whether the format takes this stream; a refusal must be an error of ours, and leave no file of that name."""
    sink = MODULES[name].write(Output(path))
    try:
        for item in items:
            sink.put(item)
        sink.flush()
    except (BadData, Usage) as error:
        sink.close(False)
        assert str(error)
        return False
    sink.close(True)
    return True


def get(name, path, **more):
    source = Input(path)
    found, problem = [], None
    try:
        for item in MODULES[name].read(source, **(keys(name) | more)):
            found.append(item)
    except SpError as error:
        problem = error
    source.close()
    return found, problem


def natural(name):
    """A stream that the format holds as it is."""
    return name if name in STREAMS else "Rows" if name in ("jsonl", "csv") else "ri16_le"


def contents(items):
    """Samples as bytes, rows as they are."""
    if any(isinstance(item, Rows) for item in items):
        return [row for item in items if isinstance(item, Rows) for row in item.values]
    return b"".join(components(item).tobytes() for item in items if isinstance(item, IQ))


@pytest.mark.parametrize("name", READERS)
def test_nothing_is_no_input(tmp_path, name):
    path = place(tmp_path, name)
    open(path, "w").close()
    found, problem = get(name, path)
    assert not found and type(problem) is NoInput


@pytest.mark.parametrize("name", BOTH)
def test_round_trip(tmp_path, name):
    path, items = place(tmp_path, name), STREAMS[natural(name)]
    assert put(name, path, items)
    found, problem = get(name, path)
    assert problem is None and isinstance(found[0], Start)
    assert contents(found) == contents(items)
    kinds = {type(item) for item in found[1:]}
    assert kinds == {type(items[1])} and found[0].name in (items[0].name, "row")


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("name", WRITERS)
def test_what_it_takes_is_whole_and_what_not_leaves_no_file(tmp_path, name, stream):
    path = place(tmp_path, name)
    taken = put(name, path, STREAMS[stream])
    assert os.path.exists(path) == taken
    if taken:
        assert not [entry for entry in os.listdir(tmp_path) if entry.endswith(".part")]
        assert os.path.getsize(path)
    if name in ("avro", "jsonl", "text", "csv"):
        assert taken


@pytest.mark.parametrize("name", WRITERS)
def test_the_input_is_left_as_it_was(tmp_path, name):
    items = STREAMS[natural(name)]
    before = contents(items)
    put(name, place(tmp_path, name), items)
    assert contents(items) == before


@pytest.mark.parametrize("name", BOTH)
def test_a_cut_file_gives_its_good_part_and_then_says_so(tmp_path, name):
    path, items = place(tmp_path, name), STREAMS[natural(name)]
    put(name, path, items)
    data_path = path.replace("-meta", "-data")
    whole = contents(items)
    size = os.path.getsize(data_path)
    os.truncate(data_path, size - 1)
    found, problem = get(name, path)
    if natural(name) in ("cu8", "ci8", "ci16_le", "cf32_le", "ri16_le", "rf32_le"):
        assert type(problem) is BadData
    got = contents(found)
    assert whole[: len(got)] == got if problem else True
    assert len(got) >= len(whole) * 0.6


@pytest.mark.parametrize("name", READERS)
def test_garbage_is_an_error_of_ours(tmp_path, name):
    """Any bytes at all: items or an expected error, never another exception."""
    rng = random.Random(7)
    for n in (1, 3, 17, 1000, 70_000):
        path = place(tmp_path, name)
        with open(path, "wb") as f:
            f.write(b"\xff" + rng.randbytes(n))
        found, problem = get(name, path)
        assert problem is None or problem.code in (65, 66, 2)
        assert found or problem


@pytest.mark.parametrize("name", BOTH)
def test_flipped_bytes_are_an_error_of_ours(tmp_path, name):
    path = place(tmp_path, name)
    put(name, path, STREAMS[natural(name)])
    with open(path, "rb") as f:
        whole = f.read()
    rng = random.Random(8)
    for _ in range(60):
        data = bytearray(whole)
        data[rng.randrange(min(len(data), 600))] = rng.randrange(256)
        with open(path, "wb") as f:
            f.write(data)
        _, problem = get(name, path)
        assert problem is None or problem.code in (65, 66, 2), problem


@pytest.mark.parametrize("name", [n for n in BOTH if natural(n) not in ("Rows",)])
def test_no_gap_is_hidden(tmp_path, name):
    """It comes back as a jump in `sample`, or the sink has counted what the format cannot show."""
    items = samples(natural(name), skip=1234)
    path = place(tmp_path, name)
    sink = MODULES[name].write(Output(path))
    for item in items:
        sink.put(item)
    sink.close(True)
    found, _ = get(name, path)
    end = found[-1].sample + found[-1].count
    assert end == 104_239 or getattr(sink, "notes", {}).get("not_shown") == 1234


@pytest.mark.parametrize("name", WRITERS)
def test_closed_without_success_nothing_has_the_final_name(tmp_path, name):
    path = place(tmp_path, name)
    sink = MODULES[name].write(Output(path))
    for item in STREAMS[natural(name)]:
        sink.put(item)
    sink.close(False)
    assert not os.path.exists(path)


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_explained(name):
    for function in ("read", "write"):
        if hasattr(MODULES[name], function):
            for setting in registry.describe("formats", name, function).settings:
                assert setting.help, (name, function, setting.name)
