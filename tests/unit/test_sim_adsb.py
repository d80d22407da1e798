"""sim:adsb: every message by pyModeS, and back out of the samples by a slow decoder."""

import numpy as np
import pyModeS
import pytest
from pyModeS import util
from sim_oracle import collect

from sptools.drivers.sim import sim
from sptools.drivers.sim._traffic import fleet, traffic
from sptools.errors import RateTooLow


def test_all_messages_are_what_pymodes_reads():
    aircraft = fleet(5, 1)
    sent = list(traffic(aircraft, 1, 100.0, 110.0))
    assert len(sent) == 5 * 7 * 10
    for one in sent:
        read = pyModeS.decode(one.raw)
        which, now = one.aircraft, one.aircraft.state(one.time)
        assert read["icao"] == f"{which.icao:06X}"
        if one.kind in ("even", "odd", "velocity", "identification"):
            assert read["crc_valid"], one
        if one.kind == "all-call":
            assert util.crc(one.raw) == 0  # interrogator 0
        if one.kind == "identification":
            assert read["callsign"].strip("_ ") == which.callsign
        if one.kind in ("even", "odd", "altitude"):
            assert read["altitude"] == pytest.approx(now["altitude"], abs=12.6)
        if one.kind == "identity":
            assert read["squawk"] == which.squawk
        if one.kind == "velocity":
            assert read["groundspeed"] == pytest.approx(which.speed, abs=1.5)
            assert read["vertical_rate"] == pytest.approx(now["climb"], abs=33)
            track = np.degrees(np.arctan2(now["east"], now["north"]))
            assert (read["track"] - track + 180) % 360 - 180 == pytest.approx(0, abs=0.5)


def test_positions_resolve_to_where_the_aircraft_are():
    aircraft = fleet(4, 9)
    sent = [s for s in traffic(aircraft, 9, 0.0, 5.0) if s.kind in ("even", "odd")]
    pipe = pyModeS.PipeDecoder()
    resolved = 0
    for one in sent:
        read = pipe.decode(one.raw, timestamp=one.time)
        if read.get("latitude") is not None:
            now = one.aircraft.state(one.time)
            resolved += 1
            assert read["latitude"] == pytest.approx(now["latitude"], abs=2e-4)
            assert read["longitude"] == pytest.approx(now["longitude"], abs=4e-4)
    assert resolved >= 8


@pytest.mark.parametrize("rate", [2e6, 2.4e6])
def test_what_was_sent_is_in_the_samples(rate):
    z, _ = collect("adsb", 0.5, rate=rate, aircraft=3)
    power = np.abs(z)
    total = np.concatenate([[0.0], np.cumsum(power)])
    level = lambda a, b: np.diff(np.interp(np.array([a, b]) * rate, np.arange(len(total)), total))[0]
    sent = list(traffic(fleet(3, 1), 1, 0.0, 0.49))
    right = 0
    for one in sent:
        begin = one.time + 8e-6
        bits = ""
        for i in range(4 * len(one.raw)):
            first = begin + i * 1e-6
            bits += "1" if level(first, first + 0.5e-6) > level(first + 0.5e-6, first + 1e-6) else "0"
        right += int(bits, 2) == int(one.raw, 16)
    assert right == len(sent)


def test_no_two_messages_overlap_even_in_dense_traffic():
    times = [s.time for s in traffic(fleet(100, 2), 2, 0.0, 1.0)]
    assert len(times) == 700
    assert np.diff(times).min() > 130e-6


def test_no_aircraft_is_noise_alone():
    z, _ = collect("adsb", 0.2, aircraft=0)
    sigma = 0.8 * 10 ** (-30 / 20)
    assert np.sqrt(np.mean(np.abs(z) ** 2)) == pytest.approx(np.hypot(sigma, 1 / 127.5 / 6**0.5), rel=0.02)
    assert np.abs(z).max() < 6 * sigma


def test_another_frequency_hears_nothing():
    receiver = sim("adsb", pace=0, freq=1085e6)
    assert np.abs(receiver.read().data.astype(float) - 127.5).max() < 20
    with pytest.raises(RateTooLow):
        sim("adsb", rate=1e6)
