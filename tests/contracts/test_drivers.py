"""What every receiver keeps to, real or simulated: the same few attributes, whole samples, an end that stays the end."""

import numpy as np
import pytest

from sptools import registry
from sptools.drivers._chunk import Chunk
from sptools.errors import SpError, Usage
from sptools.record import nbytes, sample_size

STATIONS = registry.names("drivers/sim")


@pytest.fixture
def recording(tmp_path):
    np.arange(200_000, dtype=np.uint16).view(np.uint8).tofile(tmp_path / "x.cu8")
    return str(tmp_path / "x.cu8")


def open_driver(name, address, **settings):
    return getattr(registry.load("drivers", name), name)(address, **settings)


def receivers(recording):
    yield open_driver("file", recording, rate=1e6, pace=0)
    for station in STATIONS:
        yield open_driver("sim", station, pace=0)


def test_attributes_and_chunks(recording):
    for receiver in receivers(recording):
        assert receiver.live is False and receiver.device
        assert receiver.clock in ("none", "ntp", "pps", "sim")
        chunk = receiver.read()
        assert isinstance(chunk, Chunk) and chunk.rate > 0 and chunk.lost == 0
        if receiver.schema is None:
            assert nbytes(chunk.data) % sample_size(receiver.datatype) == 0 and nbytes(chunk.data) <= 1 << 19
            assert (chunk.rate, chunk.freq) == (receiver.rate, receiver.freq)
        else:
            assert chunk.data and "time" in chunk.data[0]
        receiver.close()
        receiver.close()  # twice does no harm


def test_the_end_stays_the_end(recording):
    receiver = open_driver("file", recording, rate=1e6, pace=0)
    count = 0
    while (chunk := receiver.read()) is not None:
        count += nbytes(chunk.data) // 2
    assert count == 200_000
    assert receiver.read() is None


def test_paced_receivers_are_live_and_their_chunks_short(recording):
    for receiver in (open_driver("file", recording, rate=1e6), *(open_driver("sim", s) for s in STATIONS)):
        assert receiver.live is True
        chunk = receiver.read()
        if receiver.schema is None:
            assert nbytes(chunk.data) / sample_size(receiver.datatype) / chunk.rate <= 0.0201
        receiver.close()


@pytest.mark.parametrize("station", [s for s in STATIONS if s != "telemetry"])
def test_a_retune_shows_at_the_exact_chunk(station):
    receiver = open_driver("sim", station, pace=0)
    freq = receiver.read().freq
    receiver.set(freq=freq + 1e6)
    assert receiver.read().freq == freq + 1e6
    receiver.close()


@pytest.mark.parametrize("station", STATIONS)
def test_an_unknown_key_names_the_valid_ones(station):
    with pytest.raises((Usage, TypeError)):
        open_driver("sim", station, nosuchkey=1)


@pytest.mark.parametrize("name, address", [("rtltcp", "//127.0.0.1:1"), ("file", "/nosuch.cu8"), ("sim", "nosuch")])
def test_what_is_not_there_is_said_by_name(name, address):
    with pytest.raises(SpError, match=r"nosuch|127\.0\.0\.1"):
        open_driver(name, address)
