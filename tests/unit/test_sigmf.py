"""SigMF recordings: valid for the reference package, with gaps and retunes that come back."""

import hashlib
import json
import os

import numpy as np
import pytest
from format_io import EPOCH, blocks, get, joined, put

from sptools.clock import span
from sptools.errors import BadData, NoInput, Usage
from sptools.formats import sigmf
from sptools.record import Message, Start
from sptools.transports.file import Output


def items():
    """Gap of 500 before the second block, retune at the third, a step of time at the fourth."""
    stream = blocks([1000, 200_000, 300, 4], "cu8", skip={1: 500})
    stream[3].freq = stream[4].freq = 101.1e6
    stream[4].time += 50_000_000
    return stream


def same(a, b):
    names = ("time", "sample", "rate", "freq", "datatype", "channels")
    return all(getattr(a, name) == getattr(b, name) for name in names)


@pytest.mark.parametrize("written", ["x.sigmf-meta", "x.sigmf-data", "x.sigmf"])
def test_both_files_whatever_the_name(tmp_path, written):
    put(sigmf, tmp_path / written, items())
    assert sorted(os.listdir(tmp_path)) == ["x.sigmf-data", "x.sigmf-meta"]
    for read in ("x.sigmf-meta", "x.sigmf-data"):
        found, problem = get(sigmf, tmp_path / read, check=True)
        assert problem is None and joined(found).tobytes() == joined(items()).tobytes()


def test_metadata(tmp_path):
    stream = items()
    stream[0].source |= {"latitude": 37.1, "longitude": -122.2}
    put(sigmf, tmp_path / "x.sigmf-meta", stream)
    meta = json.loads((tmp_path / "x.sigmf-meta").read_text())
    assert [c["core:sample_start"] for c in meta["captures"]] == [0, 1000, 201_000, 201_300]
    assert [c["core:global_index"] for c in meta["captures"]] == [0, 1500, 201_500, 201_800]
    assert [c["core:frequency"] for c in meta["captures"]] == [99.7e6, 99.7e6, 101.1e6, 101.1e6]
    facts = meta["global"]
    assert facts["core:sha512"] == hashlib.sha512((tmp_path / "x.sigmf-data").read_bytes()).hexdigest()
    assert (facts["core:hw"], facts["core:recorder"][:7]) == ("test", "sptools")
    assert facts["core:geolocation"] == {"type": "Point", "coordinates": [-122.2, 37.1]}
    assert meta["captures"][0]["core:datetime"].endswith(".123456789Z")


@pytest.mark.parametrize("datatype", ["cu8", "ci8", "ci16_le", "cf32_le", "ri16_le", "rf32_le"])
def test_the_reference_package_takes_it(tmp_path, datatype):
    reference = pytest.importorskip("sigmf")
    put(sigmf, tmp_path / "x.sigmf-meta", blocks([100, 50], datatype, 48000.0, skip={1: 10}))
    recording = reference.sigmffile.fromfile(str(tmp_path / "x.sigmf-meta"))
    recording.validate()
    assert recording.sample_count == 150 and len(recording.get_captures()) == 2


def test_round_trip_of_gaps_retunes_and_time(tmp_path):
    put(sigmf, tmp_path / "x.sigmf-meta", items())
    found, problem = get(sigmf, tmp_path / "x.sigmf-meta")
    assert problem is None and isinstance(found[0], Start) and found[0].source == {"device": "test"}
    starts = {b.sample: b for b in items()[1:]}
    came = {b.sample: b for b in found[1:]}
    assert set(starts) <= set(came) and all(same(came[k], starts[k]) for k in starts)
    # a long capture comes in several blocks, with exact times
    long = came[1500 + (1 << 18) // 2]
    assert long.time == EPOCH + span(long.sample, 2.4e6)


@pytest.mark.parametrize("channels", [1, 3])
def test_audio(tmp_path, channels):
    stream = blocks([100], "ri16_le", 48000.0, 0.0, channels=channels)
    put(sigmf, tmp_path / "x.sigmf-meta", stream)
    found, _ = get(sigmf, tmp_path / "x.sigmf-meta")
    assert found[0].name == "Audio" and found[1].channels == channels and found[1].count == 100


def test_close_without_success_leaves_no_recording(tmp_path):
    sink = sigmf.write(Output(str(tmp_path / "x.sigmf-meta")))
    sink.put(items()[1])
    sink.close(False)
    assert not {"x.sigmf-meta", "x.sigmf-data"} & set(os.listdir(tmp_path))


def test_no_samples_no_recording(tmp_path):
    with pytest.raises(NoInput):
        put(sigmf, tmp_path / "x.sigmf-meta", items()[:1])
    assert os.listdir(tmp_path) == []


def test_refused(tmp_path):
    for stream, error in (
        (blocks([10]) + blocks([10], rate=1e6), BadData),
        (blocks([10]) + blocks([10], "ci8"), BadData),
        ([Message(0, 0, 0.0, 0.0, "adsb", "", "crc")], BadData),
        ([*blocks([10]), Start({}, "site/y")], Usage),
    ):
        with pytest.raises(error):
            put(sigmf, tmp_path / "x.sigmf-meta", stream)
    with pytest.raises(Usage, match="two files"):
        sigmf.write(Output("-"))


def recording(tmp_path, data=bytes(range(100)), captures=None, **facts):
    meta = {"global": {"core:datatype": "cu8", "core:version": "1.0.0", "core:sample_rate": 1e6} | facts}
    meta["global"] = {k: v for k, v in meta["global"].items() if v is not None}
    meta["captures"] = [{"core:sample_start": 0}] if captures is None else captures
    (tmp_path / "y.sigmf-meta").write_text(json.dumps(meta))
    (tmp_path / "y.sigmf-data").write_bytes(data)
    return tmp_path / "y.sigmf-meta"


def test_of_others_big_endian_headers_and_trailers(tmp_path):
    path = recording(
        tmp_path, b"HEAD" + np.arange(20, dtype=">i2").tobytes() + b"123456789",
        [{"core:sample_start": 0, "core:header_bytes": 4}],
        **{"core:datatype": "ci16_be", "core:trailing_bytes": 9, "core:sample_rate": None},
    )  # fmt: skip
    assert isinstance(get(sigmf, path)[1], Usage)
    found, problem = get(sigmf, path, rate=5e5)
    assert problem is None and joined(found).tolist() == list(range(20))
    assert (found[1].datatype, found[1].rate, found[1].time, found[1].freq) == ("ci16_le", 5e5, 0, 0.0)


def test_without_captures_and_with_another_data_file(tmp_path):
    path = recording(tmp_path, captures=[], **{"core:dataset": "other.bin"})
    os.rename(tmp_path / "y.sigmf-data", tmp_path / "other.bin")
    found, problem = get(sigmf, path)
    assert problem is None and joined(found).tolist() == list(range(100))


@pytest.mark.parametrize(
    "facts, captures, says",
    [
        ({"core:datatype": "c7"}, None, "datatype"),
        ({"core:datatype": None}, None, "no core:datatype"),
        ({"core:datatype": 8}, None, "not a str"),
        ({"core:sample_rate": "fast"}, None, "not a number"),
        ({"core:sample_rate": -1}, None, "not a rate"),
        ({"core:num_channels": 10**9}, None, "channels"),
        ({"core:dataset": "../../etc/passwd"}, None, "beside it"),
        ({}, {}, "no list"),
        ({}, [3], "no JSON object"),
        ({}, [{"core:sample_start": 5}, {"core:sample_start": 2}], "in order"),
        ({}, [{}], "in order"),
        ({}, [{"core:sample_start": 0, "core:datetime": "yesterday"}], "not a time"),
        ({}, [{"core:sample_start": 10**40}], "not a int"),
        ({}, [{"core:sample_start": 0, "core:frequency": True}], "not a number"),
    ],
)
def test_hostile_metadata(tmp_path, facts, captures, says):
    found, problem = get(sigmf, recording(tmp_path, captures=captures, **facts))
    assert not found and isinstance(problem, BadData) and says in str(problem)


@pytest.mark.parametrize("text", [b"\xff", b"[]", b"{}", b"[" * 100_000, b'{"global": []}'])
def test_what_is_no_metadata(tmp_path, text):
    path = recording(tmp_path)
    path.write_bytes(text)
    found, problem = get(sigmf, path)
    assert not found and isinstance(problem, BadData)


def test_damage_after_the_good_part(tmp_path):
    found, problem = get(sigmf, recording(tmp_path, bytes(101)))
    assert found[1].count == 50 and isinstance(problem, BadData) and "inside a sample" in str(problem)
    found, problem = get(sigmf, recording(tmp_path, captures=[{"core:sample_start": 0}, {"core:sample_start": 80}]))
    assert found[1].count == 50 and isinstance(problem, BadData) and "cut short" in str(problem)
    put(sigmf, tmp_path / "x.sigmf-meta", items())
    data = bytearray((tmp_path / "x.sigmf-data").read_bytes())
    data[5] ^= 1
    (tmp_path / "x.sigmf-data").write_bytes(data)
    assert get(sigmf, tmp_path / "x.sigmf-meta")[1] is None
    found, problem = get(sigmf, tmp_path / "x.sigmf-meta", check=True)
    assert joined(found).size == len(data) and isinstance(problem, BadData) and "sha512" in str(problem)


def test_a_missing_half(tmp_path):
    path = recording(tmp_path)
    os.unlink(tmp_path / "y.sigmf-data")
    assert isinstance(get(sigmf, path)[1], NoInput)
    path.write_bytes(b"")
    assert isinstance(get(sigmf, path)[1], NoInput)
