"""`adsb` from IQ to messages: against dump1090 on a real recording, and on signals of its own modulator."""

import os
from functools import partial
from pathlib import Path

import modes_signal as signal
import numpy as np
import pyModeS
import pytest

from sptools import errors
from sptools.dsp.demods.adsb import adsb

TESTS = Path(__file__).resolve().parents[1]
RECORDING = TESTS / "data/adsb-2M-a.cu8"
GOLDEN = TESTS / "golden/adsb-2M-a.txt"
KLM = "8D4840D6202CC371C32CE0576098"


def hits(x, rate=2e6, datatype="cu8", offset=0.0, **settings):
    kernel = adsb(rate, datatype, offset, **settings)
    return kernel.process(x) + kernel.flush()


def quiet(messages, seconds, rate=2e6, datatype="cu8", **how):
    return signal.components(signal.iq(messages, seconds, rate, **how), datatype)


@pytest.fixture(scope="module")
def recording():
    x = np.fromfile(RECORDING, np.uint8)
    x.flags.writeable = False
    return x


def golden():
    lines = [line.split() for line in GOLDEN.read_text().splitlines() if not line.startswith("#")]
    return [(int(sample), raw) for sample, raw in lines]


def test_every_message_of_dump1090(recording):
    ours = {(hit.sample, hit.raw) for hit in hits(recording)}
    missing = [(s, raw) for s, raw in golden() if not any((s + d, raw) in ours for d in (-1, 0, 1))]
    assert len(golden()) == 159 and not missing
    assert len(hits(recording)) >= 159


def test_recording_agrees_with_pymodes(recording):
    for hit in hits(recording):
        theirs = pyModeS.decode(hit.raw)
        assert theirs["icao"] == hit.fields["icao"] and theirs["df"] == hit.fields["df"]
        if hit.valid == "crc" and hit.fields["df"] == 17:
            assert theirs["crc_valid"] is True
        for mine, name in (("altitude_ft", "altitude"), ("squawk", "squawk"), ("callsign", "callsign")):
            if mine in hit.fields:
                assert theirs[name] == hit.fields[mine]


def test_one_aircraft_flies_through_the_recording(recording):
    places = [(h.fields["latitude"], h.fields["longitude"]) for h in hits(recording) if "latitude" in h.fields]
    assert len(places) > 10
    assert np.ptp(np.array(places), axis=0).max() < 1  # one neighbourhood: no zone was mistaken


@pytest.mark.parametrize("sizes", [(2,), (2, 478, 34), (131072,), (1 << 20,), (262142, 2)])
def test_cut(recording, sizes):
    x = recording if sizes != (2,) else recording[:60000]
    kernel, got, at, k = adsb(2e6, "cu8", latency=0.02), [], 0, 0
    while at < len(x):
        n = sizes[k % len(sizes)]
        got += kernel.process(x[at : at + n])
        at, k = at + n, k + 1
    assert got + kernel.flush() == hits(x, latency=0.02)


def test_latency_does_not_change_what_is_found(recording):
    assert hits(recording, latency=0.005) == hits(recording, latency=1.0)


def test_reset_forgets_aircraft_and_position(recording):
    kernel = adsb(2e6, "cu8")
    kernel.process(recording[:100000])
    kernel.reset()
    assert kernel.process(recording) + kernel.flush() == hits(recording)


def test_message_across_a_chunk_border():
    """One message at every half microsecond around the border of a 10 ms chunk."""
    for shift in range(0, 250, 7):
        start = 0.01 - shift * 0.5e-6
        found = hits(quiet([(start, KLM)], 0.02), latency=0.01)
        assert [hit.raw for hit in found] == [KLM], shift
        assert abs(found[0].sample - start * 2e6) <= 1


def test_message_at_either_end():
    length = 120e-6
    for start in (0.0, 1e-3 - length):
        assert [hit.raw for hit in hits(quiet([(start, KLM)], 1e-3))] == [KLM]
    assert not hits(quiet([(1e-3 - length + 1e-6, KLM)], 1e-3))  # its last bits are not there


def test_identification_and_level():
    (hit,) = hits(quiet([(1e-3, KLM)], 2e-3, amplitude=0.5, noise=0.005))
    assert hit.protocol == "mode-s" and hit.valid == "crc"
    assert hit.fields["icao"] == "4840D6" and hit.fields["callsign"] == "KLM1023"
    assert hit.level == pytest.approx(20 * np.log10(0.5), abs=0.3)


# sharp samples at any rate: at 2 MS/s itself dump1090 and we find 94 of these
@pytest.mark.parametrize(
    ("rate", "datatype", "offset", "least"),
    [
        (2e6, "cu8", 0.0, 90), (2e6, "ci8", 2e5, 90), (2e6, "ci16_le", 0.0, 90), (2e6, "cf32_le", 0.0, 90),
        (2.4e6, "cu8", 0.0, 84), (2.56e6, "cu8", 1e5, 88),
        (2.3456789e6, "cu8", 0.0, 80), (3.2e6, "ci8", -4e5, 90), (10e6, "cf32_le", 3e6, 93),
    ],
)  # fmt: skip
def test_rates_and_datatypes(rate, datatype, offset, least):
    rng = np.random.default_rng(3)
    sent = [(0.001 + 0.0005 * i + rng.uniform(0, 1e-6), signal.squitter(0x400000 + i, 0x58 << 48 | i)) for i in range(100)]
    x = quiet(sent, 0.052, rate, datatype, offset=offset)
    found = hits(x, rate, datatype, offset)
    starts = {raw: start for start, raw in sent}
    assert len(found) >= least and {hit.raw for hit in found} <= starts.keys()
    assert max(abs(hit.sample / rate - starts[hit.raw]) for hit in found) < 0.6e-6
    pieces = adsb(rate, datatype, offset)
    got = [hit for at in range(0, len(x), 33334) for hit in pieces.process(x[at : at + 33334])] + pieces.flush()
    assert got == found


@pytest.mark.parametrize(
    ("rate", "datatype", "offset", "error", "says"),
    [
        (1e6, "cu8", 0.0, errors.RateTooLow, "2M"),
        (2e6, "cu8", 8e5, errors.RateTooLow, "3.1M"),
        (2.001e6, "cu8", 0.0, errors.Usage, "-s 2M"),
        (2e6, "rf32_le", 0.0, errors.Usage, "cu8, ci8"),
    ],
)
def test_refuses_what_it_cannot_use(rate, datatype, offset, error, says):
    with pytest.raises(error, match=says.replace("+", r"\+")):
        adsb(rate, datatype, offset)


def test_half_a_position_is_refused():
    with pytest.raises(errors.Usage, match="--longitude"):
        adsb(2e6, "cu8", latitude=52.0)


def test_noise_gives_no_message():
    """Four million samples here, 60 million in a soak, of faint and of loud noise."""
    rng = np.random.default_rng(11)
    for level in (3, 40):
        kernel, found = adsb(2e6, "cu8", aggressive=True), []
        for _ in range(30 if os.environ.get("SP_SOAK") else 2):
            x = np.clip(np.rint(127.5 + level * rng.standard_normal(2_000_000, np.float32)), 0, 255).astype(np.uint8)
            found += kernel.process(x)
        assert found + kernel.flush() == []


def test_degenerate_input_is_quiet():
    for x in (np.zeros(100000, np.uint8), np.full(100000, 255, np.uint8), np.tile(np.uint8([0, 255, 255, 0]), 30000)):
        assert hits(x) == []
    wild = np.resize(np.float32([np.nan, 1, np.inf, -np.inf, 3e38, 0]), 60000)
    assert hits(wild, 2e6, "cf32_le") == [] and hits(wild, 2.4e6, "cf32_le") == []


SQUITTER = signal.squitter(0x4840D6, 0x202CC371C32CE0)
REPLY = signal.surveillance(5, 0x4840D6, 0x0808)


def flip(message, *bits):
    size = 4 * len(message)
    return f"{int(message, 16) ^ sum(1 << size - 1 - b for b in bits):0{len(message)}X}"


def test_a_hidden_address_needs_a_known_aircraft():
    assert hits(quiet([(1e-3, REPLY)], 3e-3)) == []
    first, second = hits(quiet([(1e-3, SQUITTER), (2e-3, REPLY)], 3e-3))
    assert (first.valid, second.valid) == ("crc", "inferred")
    assert second.fields["icao"] == "4840D6" and "squawk" in second.fields


def test_an_aircraft_is_forgotten_after_a_minute():
    for pause, count in ((58, 2), (62, 1)):
        kernel = adsb(2e6, "cu8", latency=1.0)
        found = kernel.process(quiet([(1e-3, SQUITTER)], 1.0))
        silence = np.full(4_000_000, 127, np.uint8)
        for _ in range(pause):
            found += kernel.process(silence)
        found += kernel.process(quiet([(1e-3, REPLY)], 1.0)) + kernel.flush()
        assert len(found) == count


def test_the_code_of_a_radar():
    reply, acquisition = signal.all_call(0x4840D6, 17), signal.all_call(0x4840D6)
    assert hits(quiet([(1e-3, reply)], 3e-3)) == []
    found = hits(quiet([(1e-3, acquisition), (2e-3, reply)], 3e-3))
    assert [(h.valid, h.fields.get("interrogator")) for h in found] == [("crc", None), ("inferred", 17)]


def test_repair_of_one_bit_of_a_known_aircraft():
    sent = [(1e-3, SQUITTER), (2e-3, flip(SQUITTER, 60))]
    assert len(hits(quiet(sent[1:], 3e-3))) == 0
    assert len(hits(quiet(sent, 3e-3), repair=False)) == 1
    hit = hits(quiet(sent, 3e-3))[1]
    assert hit.raw == SQUITTER and hit.valid == "repaired" and hit.fields["repaired_bits"] == 1


def test_aggressive_repairs_two_bits():
    x = quiet([(1e-3, SQUITTER), (2e-3, flip(SQUITTER, 60, 90))], 3e-3)
    assert len(hits(x)) == 1
    assert [(h.raw, h.valid) for h in hits(x, aggressive=True)] == [(SQUITTER, "crc"), (SQUITTER, "repaired")]


def test_set_is_live():
    kernel = adsb(2e6, "cu8", latency=0.005)
    first = quiet([(1e-3, SQUITTER), (2e-3, flip(SQUITTER, 60))], 0.01)
    assert len(kernel.process(first)) == 2
    kernel.set(repair=False)
    assert len(kernel.process(first)) == 1
    with pytest.raises(TypeError, match="colour"):
        kernel.set(colour=1)


def test_offset_is_live():
    sent = [(1e-3, SQUITTER)]
    kernel = adsb(3.2e6, "cu8", 5e5, latency=0.005)
    here, there = (quiet(sent, 0.01, 3.2e6, offset=at) for at in (5e5, -5e5))
    assert len(kernel.process(here)) == 1
    kernel.set(offset=-5e5)
    assert len(kernel.process(there) + kernel.flush()) == 1
    with pytest.raises(errors.RateTooLow):
        kernel.set(offset=1.2e6)
    narrow = adsb(2e6, "cu8")
    narrow.set(offset=1e5)
    with pytest.raises(errors.RateTooLow):
        narrow.set(offset=1e6)


def test_position_of_a_pair_and_then_of_single_messages():
    places = [(52.2, 3.9), (52.2005, 3.9), (52.201, 3.9), (52.2015, 3.9)]
    sent = [(1e-3 * (i + 1), signal.airborne(0x40621D, *at, odd=i in (1, 3))) for i, at in enumerate(places)]
    found = hits(quiet(sent, 6e-3))
    assert ["latitude" in hit.fields for hit in found] == [False, True, True, True]
    for hit, at in zip(found[1:], places[1:], strict=True):
        assert (hit.fields["latitude"], hit.fields["longitude"]) == pytest.approx(at, abs=1e-4)


def test_position_on_the_ground_needs_the_receivers():
    sent = [(1e-3, signal.surface(0x40621D, 52.32, 4.73, False))]
    here = partial(hits, quiet(sent, 3e-3))
    assert "latitude" not in here()[0].fields
    found = here(latitude=52.1, longitude=4.4)[0].fields
    assert (found["latitude"], found["longitude"]) == pytest.approx((52.32, 4.73), abs=1e-4)
    assert found["on_ground"] is True and found["ground_speed_kt"] == 5.5 and found["track_deg"] == 90.0
