"""Items → datagrams → items, without a network: what comes out, what is counted, what is refused."""

import json
import random
import time
from dataclasses import replace

import numpy as np
import pytest

from sptools.clock import span
from sptools.continuity import Continuity
from sptools.errors import BadConfig, Usage
from sptools.formats import avro
from sptools.formats.avro import announce, frame, receiver
from sptools.record import IQ, Audio, Message, Rows, Spectrum, Start
from sptools.schemas import built_in

T = 1_795_000_000_123_456_789
SCHEMA = {"type": "record", "name": "tel", "fields": [{"name": "time", "type": "long"}, {"name": "x", "type": "double"}]}
EXAMPLE = {
    "type": "record", "name": "data", "namespace": "speeddata.example",
    "fields": [
        {"name": "time", "type": "long", "logicalType": "timestamp-nanos"}, {"name": "message", "type": "string"},
        {"name": "counter", "type": "int"},
        *({"name": n, "type": "double"} for n in ("sine_wave", "ramp", "square_wave", "noise")),
    ],
}  # fmt: skip
TEMPERATURE = {
    "type": "record", "name": "temperature_data", "namespace": "speeddata.sensors",
    "fields": [
        {"name": "time", "type": "long"}, {"name": "device_id", "type": "string"},
        *({"name": n, "type": "double"} for n in ("temperature_c", "temperature_f", "pressure_pa", "humidity_pct")),
        {"name": "status", "type": "string"},
    ],
}  # fmt: skip
# what SpeedData's own programs send for these rows
BARE = [
    (
        EXAMPLE, (1700000000000000000, "hello", 0, 0.0, 0.5, -1.0, 0.25),
        "8080d0e2c6bfce972f0a68656c6c6f000000000000000000000000000000e03f000000000000f0bf000000000000d03f",
    ),
    (
        EXAMPLE, (1700000000123456789, "hello", 7, 0.5, -0.25, 1.0, 0.125),
        "aab4aed8c7bfce972f0a68656c6c6f0e000000000000e03f000000000000d0bf000000000000f03f000000000000c03f",
    ),
    (
        TEMPERATURE, (1700000000123456789, "TEMP-SENSOR-001", 22.5, 72.5, 101325.0, 45.0, "ok"),
        "aab4aed8c7bfce972f1e54454d502d53454e534f522d3030310000000000803640000000000020524000000000d0bcf8400000000000804640"
        "046f6b",
    ),
]  # fmt: skip


class Wire:
    """An output that keeps its datagrams, and an input that gives datagrams back."""

    name = "wire"

    def __init__(self, mtu=1400, datagrams=()):
        self.mtu, self.notes, self.sent, self.left = mtu, {}, [], list(datagrams)

    def write(self, *buffers):
        self.sent.append(b"".join(buffers))

    def close(self, ok=True): ...

    def batch(self, timeout=None):
        out, self.left = self.left[:100], self.left[100:]
        return out or None


def send(items, mtu=1400, **keys):
    wire = Wire(mtu)
    sink = avro.write_datagrams(wire, **keys)
    for item in items:
        sink.put(item)
    sink.close()
    return wire.sent


def receive(datagrams, **keys):
    reader = avro.read_datagrams(Wire(datagrams=datagrams), **keys)
    return list(reader), reader.notes


def split(datagrams):
    """(frames, announcements)"""
    frames = [d for d in datagrams if d.startswith(frame.MARK)]
    return frames, [d for d in datagrams if d.startswith(announce.MAGIC)]


def start(name="tel", channel="site/tel", boot=b"12345678", **more):
    schema = SCHEMA if name == "tel" else built_in(name)
    return Start(schema, channel, boot, source={"channel": channel, "device": "test"}, **more)


def rows(first, n):
    return Rows([{"time": T + k, "x": k / 8} for k in range(first, first + n)])


def values(items):
    return [v for item in items if isinstance(item, Rows) for v in item.values]


# ------------------------------------------------------------ samples
@pytest.mark.parametrize("mtu", [128, 1400, 8900, 65507])
@pytest.mark.parametrize("datatype, count", [("cu8", 48_000), ("ci16_le", 1), ("cf32_le", 12_345)])
@pytest.mark.parametrize("rate", [2.4e6, 2_048_000.5, 1e6 / 3])
def test_samples_come_back_with_their_exact_time(mtu, datatype, count, rate):
    size = {"cu8": 2, "ci16_le": 4, "cf32_le": 8}[datatype]
    data = random.Random(1).randbytes(2 * count * size)
    blocks = [
        IQ(T + span(k * count, rate), k * count, rate, 99.7e6, 20.7, datatype, data[k * count * size : (k + 1) * count * size])
        for k in range(2)
    ]
    datagrams = send([start("IQ"), *blocks], mtu)
    frames, _ = split(datagrams)
    assert all(len(d) <= mtu for d in frames)
    got, notes = receive(datagrams)
    assert notes == {} and got[0].schema == built_in("IQ") and sum(isinstance(i, Start) for i in got) == 1
    at = 0
    for item in got[1:]:
        block = blocks[at // count]
        assert item.sample == at and item.time == block.time + span(at % count, rate)
        assert (item.rate, item.freq, item.gain, item.datatype) == (rate, 99.7e6, 20.7, datatype)
        at += item.count
    assert b"".join(item.data for item in got[1:]) == data


def test_frames_of_a_block_have_one_length():
    frames, _ = split(send([start("IQ"), IQ(T, 10**9, 2.4e6, data=np.zeros(96_000, np.uint8))]))
    lengths = {len(d) for d in frames}
    assert max(lengths) - min(lengths) <= 2 and max(lengths) > 1300


def test_audio_of_two_channels():
    data = np.arange(20_000, dtype="<i2")
    got, _ = receive(send([start("Audio"), Audio(T, 0, 48e3, datatype="ri16_le", channels=2, data=data)]))
    assert all(isinstance(i, Audio) and i.channels == 2 for i in got[1:]) and got[-1].sample + got[-1].count == 10_000
    assert b"".join(i.data for i in got[1:]) == data.tobytes()


def test_lost_samples_show_as_a_jump():
    frames, told = split(send([start("IQ"), IQ(T, 0, 2.4e6, data=bytes(96_000))]))
    got, notes = receive([told[0], *frames[:5], *frames[8:], told[-1]])
    follow = Continuity()
    seen = [follow.see(item) for item in got]
    lost = sum(frame_samples(f) for f in frames[5:8])
    assert [v for v in seen if v[0] == "gap"] == [("gap", lost)] and notes == {"lost_frames": 3}


def frame_samples(datagram):
    return receive([send([start("IQ"), IQ(T, 0, 1e6, data=b"")])[0], datagram])[0][-1].count


def test_an_mtu_without_room_for_a_sample():
    with pytest.raises(BadConfig, match="mtu=128 leaves no room"):
        send([start("IQ", channel="n" * 60), IQ(T, 0, 2.4e6, datatype="cf32_le", data=bytes(80))], 128)


# ------------------------------------------------------------ rows, messages, spectra
def test_rows_share_datagrams():
    datagrams = send([start(), rows(0, 500), rows(500, 500)])
    frames, _ = split(datagrams)
    assert len(frames) < 20 and all(len(d) <= 1400 for d in frames)
    got, notes = receive(datagrams)
    assert values(got) == rows(0, 1000).values and notes == {}
    assert got[0] == replace(start(), first=0)


def test_rows_wait_no_longer_than_linger_and_announcements_come_by_themselves():
    wire = Wire()
    sink = avro.write_datagrams(wire, linger=0.02)
    sink.put(start())
    began = time.monotonic()
    sink.put(rows(0, 1))
    assert len(split(wire.sent)[0]) == 0
    while len(split(wire.sent)[0]) == 0:
        assert time.monotonic() - began < 1
        time.sleep(0.002)
    assert time.monotonic() - began >= 0.02
    while len(split(wire.sent)[1]) < 2:
        assert time.monotonic() - began < 3
        time.sleep(0.01)
    assert time.monotonic() - began > 0.9
    sink.close()


def test_flush_sends():
    wire = Wire()
    sink = avro.write_datagrams(wire, linger=10.0)
    sink.put(start())
    sink.put(rows(0, 3))
    sink.flush()
    assert len(split(wire.sent)[0]) == 1
    sink.close()


def test_rows_that_were_not_decoded_pass_undecoded():
    frames, told = split(send([start(), rows(0, 50)]))
    got, _ = receive([told[0], *frames])
    again = [item for item in got if isinstance(item, Rows)]
    assert all("values" not in vars(item) for item in again)
    assert [d[10:] for d in split(send([got[0], *again]))[0]] == [d[10:] for d in frames]


def test_messages_and_spectra():
    message = Message(T, 7, 1.09e9, -12.5, "adsb", "8d4840d6", "crc", {"icao": "4840D6", "altitude_ft": 38000})
    spectrum = Spectrum(T, 0, 2e6, 1e8, 2e6, 1500.0, 3, "hann", "mean", np.arange(8192, dtype="<f4"))
    datagrams = send([start("Message", "s/m"), *[message] * 40, start("Spectrum", "s/p"), spectrum])
    got, notes = receive(datagrams)
    assert got.count(message) == 40 and len(split(datagrams)[0]) < 5 and notes == {}
    back = [i for i in got if isinstance(i, Spectrum)]
    assert len(back) == 1 and bytes(back[0].data) == spectrum.data.tobytes() and back[0].rbw == 1500.0


def test_a_record_that_fits_no_datagram_is_refused_with_its_size():
    spectrum = Spectrum(T, 0, 2e6, 1e8, 2e6, 1500.0, 3, "hann", "mean", np.zeros(16_384, "<f4"))
    with pytest.raises(BadConfig, match=r"a spectrum of 65,6\d\d bytes does not fit a datagram"):
        send([start("Spectrum"), spectrum])
    schema = {"type": "record", "name": "t", "fields": [{"name": "s", "type": "string"}]}
    with pytest.raises(BadConfig, match=r"a row of 70,003 bytes"):
        send([Start(schema, "a"), Rows([{"s": "x" * 70_000}])])


# ------------------------------------------------------------ channels
def three(n=60):
    """Three channels, interleaved, a row a frame."""
    starts = [start(channel=f"site/{c}", boot=bytes([c] * 8)) for c in range(3)]
    items = []
    for k in range(n):
        for one in starts:
            items += [one if k == 0 else replace(one, first=k), rows(k, 1)]
    return items


def by_channel(items):
    """Channel → (rows, lost), as continuity sees them."""
    found, name = {}, ""
    for item in items:
        if isinstance(item, Start):
            name = item.channel
        follow, got, lost = found.setdefault(name, (Continuity(), [], []))
        verdict, n = follow.see(item)
        lost.append(n if verdict == "gap" else 0)
        if isinstance(item, Rows):
            got += [v["x"] * 8 for v in item.values]
    return {name: (got, sum(lost)) for name, (_, got, lost) in found.items()}


def test_interleaved_channels_come_apart():
    got, notes = receive(send(three(), linger=0.0))
    assert by_channel(got) == {f"site/{c}": (list(range(60)), 0) for c in range(3)} and notes == {}


@pytest.mark.parametrize("loss", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_lost_is_counted_for_each_channel(loss, seed):
    rng = random.Random(seed)
    frames, told = split(send(three(), linger=0.0))
    kept = [d for d in frames if rng.random() >= loss]
    got, notes = receive([*told[:3], *kept, *told[-3:]])
    for name, (numbers, lost) in by_channel(got).items():
        assert numbers == sorted(numbers) and len(numbers) + lost == 60, name
    assert notes["lost_frames"] == len(frames) - len(kept)


def test_a_loss_upstream_stays_a_loss():
    items = [start(), rows(0, 1), start(first=6, lost=5), rows(6, 1)]
    got, notes = receive(send(items, linger=0.0))
    assert by_channel(got) == {"site/tel": ([0, 6], 5)} and notes == {"lost_frames": 5}


def test_a_new_boot_is_no_loss():
    items = [start(), rows(0, 3), start(boot=b"another.", first=0), rows(3, 3)]
    got, notes = receive(send(items, linger=0.0))
    assert by_channel(got) == {"site/tel": ([0, 1, 2, 3, 4, 5], 0)} and notes == {}


def test_a_schema_that_changes_on_the_way():
    wide = {**SCHEMA, "fields": [*SCHEMA["fields"], {"name": "y", "type": "long"}]}
    items = [start(), rows(0, 2), replace(start(first=1), schema=wide), Rows([{"time": T, "x": 1.0, "y": 2}])]
    got, notes = receive(send(items))
    assert [i.schema for i in got if isinstance(i, Start)] == [SCHEMA, wide]
    assert values(got)[-1] == {"time": T, "x": 1.0, "y": 2} and notes == {}


def test_new_metadata_make_a_new_header():
    tuned = start("IQ")
    again = replace(tuned, first=1, source={**tuned.source, "freq": 1e8})
    block = IQ(T, 0, 1e6, data=bytes(20))
    got, _ = receive(send([tuned, block, again, replace(block, sample=10)]))
    assert [i.source.get("freq") for i in got if isinstance(i, Start)] == [None, 1e8]
    follow = Continuity()
    assert [follow.see(i)[0] for i in got][1:] == ["start", "go", "go"]


def test_a_channel_without_a_name_can_get_one():
    got, _ = receive(send([start(channel=""), rows(0, 1)], channel="rig/1"))
    assert got[0].channel == "rig/1"
    with pytest.raises(Usage, match="not a channel's name"):
        send([start()], channel="a b")
    with pytest.raises(BadConfig, match="'a b' cannot be a channel's name"):
        send([start(channel="a b")])


# ------------------------------------------------------------ waiting for the announcement
def test_frames_wait_for_their_announcement():
    frames, told = split(send([start(), rows(0, 200)]))
    got, notes = receive([*frames, told[0]])
    assert values(got) == rows(0, 200).values and notes == {}


def test_waiting_is_bounded_in_bytes():
    body = IQ(T, 0, 1e6, data=bytes(2_400_000))
    frames, told = split(send([start("IQ"), body]))
    got, notes = receive([*frames, told[-1]])
    held = sum(i.count for i in got if isinstance(i, IQ)) * 2
    assert 0.9 * receiver.WAIT_BYTES < held < receiver.WAIT_BYTES
    assert notes["unannounced"] == len(frames) - (len(got) - 1)
    assert got[-1].sample + got[-1].count == 1_200_000  # the newest are kept


def test_waiting_is_bounded_in_time(monkeypatch):
    frames, told = split(send([start(), rows(0, 200)]))
    now = [0.0]
    monkeypatch.setattr(receiver.time, "monotonic", lambda: now[0])

    class Slow(Wire):
        def batch(self, timeout=None):
            now[0] += 1.5
            self.left, out = self.left[1:], self.left[:1]
            return out or None

    reader = avro.read_datagrams(Slow(datagrams=[frames[0], frames[1], b"", b"", told[-1]]))
    got = list(reader)
    assert reader.notes["unannounced"] == 2 and values(got) == []


def test_waiting_is_bounded_in_channels():
    frames = [split(send([start(channel=f"c{k}"), rows(0, 1)]))[0][0] for k in range(receiver.WAIT_CHANNELS + 6)]
    reader = avro.read_datagrams(Wire(datagrams=frames))
    assert list(reader) == []
    assert reader.notes == {"unannounced": receiver.WAIT_CHANNELS + 6}
    assert not reader._waiting and reader._waiting_bytes == 0


# ------------------------------------------------------------ hostile
def test_malformed_datagrams_are_counted():
    frames, told = split(send([start(), rows(0, 100)]))
    bad = [b"", b"x", b"\xc3\x01", frames[0][:-1], told[0] + b"!", b"Obj\x01", b"\xff" * 1400]
    got, notes = receive([*bad, told[0], *frames])
    assert values(got) == rows(0, 100).values and notes == {"malformed": len(bad)}


def test_a_count_that_the_body_does_not_hold():
    told = split(send([start(), rows(0, 1)]))[1][0]
    lie = frame.head(frame.begin("site/tel"), b"12345678", 0, frame_schema(), 60_000, 3) + b"abc"
    got, notes = receive([told, lie])
    assert values(got) == [] and notes == {"malformed": 1}


def frame_schema():
    return announce.schema_of(announce.decode(announce.encode(start(), 0))[0])


def test_mutated_datagrams_never_raise():
    rng = random.Random(5)
    good = send([start(), rows(0, 300), start("IQ", "site/iq"), IQ(T, 0, 1e6, data=bytes(9000))])
    for _ in range(400):
        datagrams = [bytearray(d) for d in good]
        for d in rng.sample(datagrams, 3):
            d[rng.randrange(len(d))] ^= 1 << rng.randrange(8)
        got, _ = receive([bytes(d) for d in datagrams])
        values(got)


def test_many_channels_are_bounded():
    told = [announce.encode(start(channel=f"c{k}", boot=k.to_bytes(8, "big")), 0) for k in range(receiver.CHANNELS + 10)]
    reader = avro.read_datagrams(Wire(datagrams=told))
    assert list(reader) == [] and len(reader._channels) == receiver.CHANNELS and reader.notes == {"forgotten_channels": 10}


# ------------------------------------------------------------ bare
@pytest.mark.parametrize("schema, row, vector", BARE, ids=["example", "example 2", "temperature"])
def test_bare_data_are_what_speeddata_sends_and_reads(schema, row, vector, tmp_path):
    value = dict(zip([f["name"] for f in schema["fields"]], row, strict=True))
    assert [d.hex() for d in send([Start(schema, "rig"), Rows([value])], wire="bare")] == [vector]
    (tmp_path / "x.avsc").write_text(json.dumps(schema))
    data = bytes.fromhex(vector)
    got, notes = receive([data, data + b"\0", data[:-1], b"", data], wire="bare", schema=str(tmp_path / "x.avsc"), channel="rig")
    assert got[0].channel == "rig" and got[0].schema == schema and values(got) == [value, value]
    assert notes == {"malformed": 3}


def test_bare_rows_are_one_a_datagram():
    again = receive(send([start(), rows(0, 20)]))[0]
    assert send(again, wire="bare") == send([start(), rows(0, 20)], wire="bare")
    assert len(send(again, wire="bare")) == 20


def test_bare_needs_a_schema_and_frames_none(tmp_path):
    with pytest.raises(Usage, match="wire=bare needs schema=FILE"):
        receive([], wire="bare")
    with pytest.raises(Usage, match="are for wire=bare"):
        receive([], channel="rig")
