"""What all simulated receivers share: cutting, seeds, pace, faults, tuning, keys."""

import time
from itertools import pairwise

import numpy as np
import pytest

from sptools import registry
from sptools.drivers.sim import OWN, sim
from sptools.errors import Unavailable, Usage

IQ = ("adsb", "am", "fm", "nbfm", "tone")


def raw(address, samples, **keys):
    receiver = sim(address, pace=0, start=0, **keys)
    parts, have = [], 0
    while have < samples:
        chunk = receiver.read()
        parts.append(chunk.data)
        have += len(chunk.data) // 2
    return np.concatenate(parts)[: 2 * samples]


def station(address, **keys):
    return sim(address, pace=0, start=0, **keys).source


@pytest.mark.parametrize("address", IQ)
def test_samples_depend_on_their_index_only(address):
    whole = raw(address, 150_000)
    source = station(address)
    random = np.random.default_rng(3)
    cuts = np.unique([0, 150_000, *random.integers(0, 150_000, 12)])
    pieces = np.concatenate([source.take(int(a), int(b)) for a, b in pairwise(cuts)])
    assert np.array_equal(whole, pieces)
    # out of order, and by another receiver
    late = station(address)
    assert np.array_equal(late.take(100_000, 100_100), whole[200_000:200_200])
    assert np.array_equal(late.take(7, 50), whole[14:100])


@pytest.mark.parametrize("address", IQ)
def test_a_seed_fixes_everything_and_another_one_does_not(address):
    assert np.array_equal(raw(address, 20_000, seed=4), raw(address, 20_000, seed=4))
    assert not np.array_equal(raw(address, 20_000, seed=4), raw(address, 20_000, seed=5))


@pytest.mark.parametrize("address", [*IQ, "telemetry"])
def test_a_station_has_the_keys_that_sim_says(address):
    outer, inner = registry.describe("drivers", "sim"), registry.describe("drivers/sim", address)
    for setting in inner.settings:
        assert setting.name in outer.valid, "sim() must name every key of its stations"
        assert outer.setting(setting.name).help


def test_every_key_of_sim_belongs_to_a_station_or_the_receiver():
    taken = {s for a in registry.names("drivers/sim") for s in registry.describe("drivers/sim", a).valid}
    assert set(registry.describe("drivers", "sim").valid) == taken | set(OWN) - {"address"}


def test_a_wrong_key_or_station_is_refused_by_name():
    with pytest.raises(Usage, match=r"no key 'ps'.*station"):
        sim("am", ps="X")
    with pytest.raises(Usage, match="fm, nbfm"):
        sim("fmm")


@pytest.mark.parametrize("pace", [1.0, 4.0])
def test_pace_is_that_of_the_clock(pace):
    receiver = sim("tone", pace=pace, rate=1e6)
    receiver.read()
    begin, have = time.monotonic(), 0
    while have < 0.6e6 * pace:
        chunk = receiver.read()
        assert len(chunk.data) // 2 <= 0.02 * receiver.rate
        assert chunk.time is None
        have += len(chunk.data) // 2
    assert have / 1e6 / (time.monotonic() - begin) == pytest.approx(pace, rel=0.01)
    assert receiver.live


def test_flat_out_gives_large_chunks_with_exact_times():
    receiver = sim("fm", pace=0, start=10**18)
    assert not receiver.live and receiver.clock == "sim"
    first, second = receiver.read(), receiver.read()
    assert 1 << 17 <= len(first.data) <= 1 << 18
    assert first.time == 10**18
    assert second.time == 10**18 + len(first.data) // 2 * 10**9 // 2_400_000


def test_lost_samples_are_counted_and_really_missing():
    receiver = sim("tone", pace=0, start=0, rate=1e6, lose=1000, lose_every=0.1)
    whole = station("tone", rate=1e6).take(0, 350_000)
    at, losses = 0, []
    while at < 300_000:
        chunk = receiver.read()
        if chunk.lost:
            losses.append((at, chunk.lost))
        at += chunk.lost
        assert chunk.time == at * 1000
        n = len(chunk.data) // 2
        assert np.array_equal(chunk.data, whole[2 * at : 2 * (at + n)])
        at += n
    assert losses == [(100_000, 1000), (200_000, 1000)]


def test_a_stall_is_reported_after_the_timeout():
    receiver = sim("tone", pace=0, rate=1e6, stall=0.05, timeout=0.2)
    have = len(receiver.read().data) // 2
    while have < 50_000:
        have += len(receiver.read().data) // 2
    assert have == 50_000
    begin = time.monotonic()
    with pytest.raises(Unavailable, match=r"no samples for 0\.2 s"):
        receiver.read()
    assert 0.2 <= time.monotonic() - begin < 0.4
    assert registry.describe("drivers", "sim").setting("timeout").default == 3.0


def test_a_device_that_dies_is_gone_at_once():
    receiver = sim("tone", pace=0, rate=1e6, die=0.01)
    assert len(receiver.read().data) == 20_000
    begin = time.monotonic()
    with pytest.raises(Unavailable, match="gone"):
        receiver.read()
    assert time.monotonic() - begin < 0.1


def test_retuning_moves_the_station_in_the_band():
    receiver = sim("tone", pace=0, rate=1e6, freq=100e6, tone=100e3, noise=-100.0)
    peak = lambda c: np.fft.fftfreq(8192, 1e-6)[np.argmax(np.abs(np.fft.fft(complexes(c)[:8192])))]
    assert peak(receiver.read()) == pytest.approx(100e3, abs=200)
    receiver.set(freq=100.3e6)
    moved = receiver.read()
    assert moved.freq == receiver.freq == 100.3e6
    assert peak(moved) == pytest.approx(-200e3, abs=200)
    receiver.set(freq=103e6)  # outside: filtered away, not aliased
    assert np.std(complexes(receiver.read())) < 0.02


def test_gain_scales_signal_and_noise_alike():
    auto, low = (np.std(complexes(sim("tone", pace=0, **k).read())) for k in ({}, {"gain": 20.0}))
    assert 20 * np.log10(auto / low) == pytest.approx(10, abs=0.3)
    receiver = sim("tone", pace=0)
    assert np.isnan(receiver.read().gain)
    receiver.set(gain=24.0)
    assert receiver.read().gain == 24.0


def test_tone_and_noise_have_their_levels():
    z = complexes(sim("tone", pace=0, level=-12.0, noise=-100.0, rate=1e6, tone=125e3).read())[:125_000]
    line = np.mean(z * np.exp(-2j * np.pi * np.arange(len(z)) / 8))
    assert 20 * np.log10(abs(line)) == pytest.approx(-12, abs=0.05)
    rest = z - line * np.exp(2j * np.pi * np.arange(len(z)) / 8)
    step = 1 / 127.5
    wanted = 10 ** (-100 / 10) * 1e6 + step**2 / 6
    assert np.mean(np.abs(rest) ** 2) == pytest.approx(wanted, rel=0.03)


def test_offset_is_an_error_of_the_stations_frequency():
    z = complexes(sim("am", pace=0, detune=12_345.0, tone=0.0, cnr=60.0).read())
    hz = np.angle(np.mean(z[1:] * z[:-1].conj())) * 1e6 / (2 * np.pi)
    assert hz == pytest.approx(12_345, abs=5)
    z = complexes(sim("am", pace=0, freq=120e6, station=120.05e6, tone=0.0, cnr=60.0).read())
    assert np.angle(np.mean(z[1:] * z[:-1].conj())) * 1e6 / (2 * np.pi) == pytest.approx(50e3, abs=5)


def test_close_ends_a_wait():
    receiver = sim("tone", rate=1e6, pace=0.001)
    receiver.pacer.due(0)
    receiver.close()
    assert receiver.read() is None


def complexes(chunk):
    raw = chunk.data.astype(float) - 127.5
    return (raw[::2] + 1j * raw[1::2]) / 127.5
