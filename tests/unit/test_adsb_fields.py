"""Bits → fields, against pyModeS, published messages and the standard's formulas."""

import math

import modes_signal as signal
import numpy as np
import pyModeS
import pytest

from sptools.dsp.modes import accept, aircraft, altitude, cpr, crc, message, slicer
from sptools.dsp.modes.keys import KEYS


def fields(raw: str):
    df = min(int(raw[:2], 16) >> 3, 24)
    value = int(raw.ljust(28, "0"), 16)
    return message.decode(df, value >> 56, value >> 24 & (1 << 56) - 1, pyModeS.decode(raw)["icao"])


def random_messages(count: int, seed: int = 5):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        icao, body = int(rng.integers(1, 1 << 24)), int.from_bytes(rng.bytes(11), "big")
        df = int(rng.choice([0, 4, 5, 11, 16, 17, 17, 17, 17, 17, 18, 20, 21]))
        if df == 11:
            yield signal.all_call(icao)
        elif df in (17, 18):
            yield signal.squitter(icao, body >> 32, int(body & 7), df)
        else:
            yield signal.surveillance(df, icao, body >> (5 if df >= 16 else 61))


def test_identification():
    found = fields("8D4840D6202CC371C32CE0576098")
    assert (found["icao"], found["callsign"], found["category"]) == ("4840D6", "KLM1023", "A0")


def test_position_of_the_published_pair():
    first, second = fields("8D40621D58C382D690C8AC2863A7"), fields("8D40621D58C386435CC412692AD6")
    craft = aircraft.Aircraft("40621D")
    aircraft.locate(craft, second, 0.0, None)
    aircraft.locate(craft, first, 1.0, None)
    assert (first["latitude"], first["longitude"]) == pytest.approx((52.2572, 3.91937), abs=1e-4)
    assert first["altitude_ft"] == 38000 and "latitude" not in second


PLAIN = {
    "altitude_ft": "altitude", "squawk": "squawk", "vertical_rate_ftpmin": "vertical_rate", "airspeed_kt": "airspeed",
    "heading_deg": "heading", "track_deg": "track", "gnss_above_baro_ft": "geo_minus_baro", "cpr_latitude": "cpr_lat",
    "cpr_longitude": "cpr_lon", "capability": "capability", "typecode": "typecode", "df": "df",
    "selected_altitude_ft": "selected_altitude", "setting_hPa": "baro_pressure_setting",
    "selected_heading_deg": "selected_heading", "adsb_version": "version",
}  # fmt: skip


def test_random_messages_agree_with_pymodes():
    compared = dict.fromkeys(PLAIN, 0)
    for raw in random_messages(4000):
        ours, theirs = fields(raw), pyModeS.decode(raw)
        for mine, name in PLAIN.items():
            # pyModeS gives a GNSS height under the same name
            if mine in ours and theirs.get(name) is not None:
                assert ours[mine] == pytest.approx(theirs[name], abs=0.06) if mine != "squawk" else theirs[name], (raw, mine)
                compared[mine] += 1
        if ours.get("typecode") in (1, 2, 3, 4) and "#" not in ours["callsign"]:
            assert ours["callsign"].replace(" ", "") == theirs["callsign"].replace(" ", "").replace("_", "")
    assert min(compared.values()) > 5, compared


def test_ground_speed_agrees_with_pymodes():
    rng = np.random.default_rng(2)
    for _ in range(300):
        me = 19 << 51 | int(rng.integers(1, 3)) << 48 | int(rng.integers(0, 1 << 43))
        raw = signal.squitter(0x400001, me)
        ours, theirs = fields(raw), pyModeS.decode(raw)
        assert ("ground_speed_kt" in ours) == (theirs["groundspeed"] is not None)
        if "ground_speed_kt" in ours:
            assert abs(ours["ground_speed_kt"] - theirs["groundspeed"]) <= 1  # theirs is cut to an integer


def test_every_altitude_code_agrees_with_pymodes():
    for code in range(8192):
        if code & 0x40 and code:
            continue  # metres: pyModeS rounds otherwise, and no aircraft sends them
        theirs = pyModeS.decode(signal.surveillance(4, 0x400001, code))["altitude"]
        assert altitude.altitude13(code) == theirs, f"{code:013b}"


def test_metric_altitude():
    assert altitude.altitude13(0b0000011_1_01000 << 0 | 0x40) == round((0b000001 << 6 | 0b101000) / 0.3048)


def test_every_key_is_declared_with_its_type():
    seen = set()
    craft = aircraft.Aircraft("400001")
    for i, raw in enumerate(random_messages(6000, seed=8)):
        found = fields(raw)
        if "cpr_odd" in found:
            aircraft.locate(craft, found, i * 0.001, (52.0, 4.0))
        for key, value in found.items():
            assert type(value) is KEYS[key][0], key
        seen |= found.keys()
    # the pair of a random aircraft seldom lies in one zone: positions have their own tests; the rest comes from `accept`
    assert KEYS.keys() - seen <= {"latitude", "longitude", "interrogator", "repaired_bits"}


def test_positions_all_over_the_world():
    rng = np.random.default_rng(1)
    for _ in range(3000):
        at = math.degrees(math.asin(rng.uniform(-0.9985, 0.9985))), rng.uniform(-180, 180)
        even, odd = ([v / cpr.CELLS for v in signal.cpr(*at, odd=o)] for o in (False, True))
        for newest_odd in (False, True):
            place = cpr.pair(tuple(even), tuple(odd), newest_odd)
            if place is not None:  # None: the two grids round to different zones
                assert cpr.apart(place, at) < 0.01
        for is_odd, (y, x) in ((False, even), (True, odd)):
            near = cpr.near(is_odd, y, x, at[0] + rng.uniform(-0.5, 0.5), at[1] + rng.uniform(-0.5, 0.5))
            assert near is not None and cpr.apart(near, at) < 0.01


def test_zones_of_longitude():
    assert [cpr.zones(x) for x in (0, 10.4, 10.5, 52.2572, 86.9, 87.5, -87.5, 90)] == [59, 59, 58, 36, 2, 1, 1, 1]
    for latitude in np.linspace(-86.99, 86.99, 5001):
        assert cpr.zones(latitude) == signal.zones(latitude)


def test_a_jump_drops_the_position():
    craft = aircraft.Aircraft("400001")

    def hear(latitude, odd, time):
        found = fields(signal.airborne(0x400001, latitude, 4.0, odd))
        aircraft.locate(craft, found, time, None)
        return found.get("latitude")

    assert hear(52.0, False, 0) is None
    assert hear(52.0, True, 1) == pytest.approx(52, abs=1e-4)
    assert hear(52.6, False, 2) is None  # 36 nautical miles in a second
    assert hear(52.6, True, 3) == pytest.approx(52.6, abs=1e-4)
    assert hear(52.6, False, 80) is None  # too long ago
    assert hear(52.6, True, 91) is None  # 11 s apart


def test_traffic_is_bounded():
    traffic = aircraft.Traffic()
    for icao in range(aircraft.MOST + 500):
        traffic.heard(icao, icao * 1e-3)
    assert len(traffic.aircraft) == aircraft.MOST and traffic.known(0, 5.0) is None
    traffic.expire(1000.0)
    assert not traffic.aircraft


def test_remainders_by_long_division():
    for raw in random_messages(200):
        bits = len(raw) * 4
        flat = np.array([int(b) for b in f"{int(raw, 16):0{bits}b}"], bool)
        packed = slicer.pack(np.pad(flat, (0, 112 - bits))[None])
        want = signal.parity(f"{int(raw, 16):0{bits}b}"[:-24]) ^ int(raw, 16) & 0xFFFFFF
        assert crc.remainders(packed, np.array([bits == 112]))[0] == want


def test_pairs_of_wrong_bits_are_told_apart():
    assert len(crc.pairs()) == 107 * 106 // 2
    assert not crc.pairs().keys() & crc.SINGLE[112].keys()


def test_carries_equal_the_loop():
    rng = np.random.default_rng(4)
    one = rng.random((500, 112)) < 0.3
    like = one | (rng.random((500, 112)) < rng.random((500, 1)))
    got = np.unpackbits(slicer.carries(slicer.pack(one), slicer.pack(like)), axis=1, bitorder="little").astype(bool)
    want = one.copy()
    for i in range(1, 112):
        want[:, i] |= like[:, i] & want[:, i - 1]
    assert np.array_equal(got, want)


def test_equalised_reads_half_a_sample_early_and_late():
    raw = "8D4840D6202CC371C32CE0576098"
    for quarter in range(-3, 4):
        halves = np.pad(signal.envelope(raw).reshape(-1, signal.GRID // 2)[:, 0], 2)
        e = abs(quarter) / 8
        z = (1 - e) * halves + e * np.roll(halves, int(np.sign(quarter)))
        m = np.rint(3000 * z).astype(np.uint16)[None, 1:]
        window = m[:, : slicer.BEFORE + slicer.SPAN]
        bits = slicer.equalised(slicer.sums(window), *slicer.halves(window))
        assert slicer.FLIP[bits].tobytes().hex().upper() == raw, quarter


def test_chance_of_a_message_in_noise():
    """The figures in `accept`: places that pass, and how many of them look good enough for each rule."""
    from sptools.dsp.modes.magnitude import FULL, pair_table
    from sptools.dsp.modes.preamble import Preamble

    rng = np.random.default_rng(9)
    x = np.clip(np.rint(127.5 + 20 * rng.standard_normal(4_000_000)), 0, 255).astype(np.uint8)
    m = pair_table()[x.view("<u2")]
    before, span = slicer.BEFORE, slicer.BEFORE + slicer.SPAN
    places = Preamble().find(m[before:], len(m) - span)
    window = np.lib.stride_tricks.sliding_window_view(m, span)[places]
    seen = accept.looks(slicer.sums(window), *slicer.halves(window), FULL)
    per_hour = 7.2e9 * len(places) / len(m)
    assert 500 < len(places) / len(m) * 1e6 < 700
    # two readings; three of 32 formats and remainder 0, or eleven and the address of one of 100 aircraft
    assert per_hour * seen.fair.mean() * 2 * 3 / 32 / 2**24 < 0.03
    assert per_hour * seen.good.mean() * 2 * 11 / 32 * 100 / 2**24 < 0.1
