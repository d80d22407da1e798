"""A stage carries sample numbers, time, gaps and retunes through a kernel, exactly."""

from fractions import Fraction

import numpy as np
import pytest

from sptools.clock import SECOND, span
from sptools.dsp.kernel import Hit, Output
from sptools.errors import BadData, OutsideBand
from sptools.record import IQ, Audio, Message, Start, components
from sptools.stage import Stage

T0 = 1_700_000_000 * SECOND
RATE, D, CHUNK = 1e6, 10, 700


class Every:
    """Keeps every D-th sample, in chunks of CHUNK inputs: the simplest kernel with a ratio, a delay and held input."""

    ratio, delay = Fraction(1, D), 25.0

    def __init__(self, rate, datatype, offset):
        self.made_with, self.offsets = (rate, datatype), [offset]
        self.output = Output("Audio", rate / D, "ri16_le")
        self.reset()

    def reset(self):
        self.held, self.n = np.empty(0, np.uint8), 0

    def process(self, x):
        self.held = np.concatenate([self.held, x[::2]])
        whole = len(self.held) // CHUNK * CHUNK
        y, self.held = self.held[:whole], self.held[whole:]
        self.n += whole
        return y[::D].astype("<i2")

    def flush(self):
        y, self.held = self.held, self.held[:0]
        return y[::D].astype("<i2")

    def set(self, **settings):
        self.offsets.append(settings["offset"])


def make_stage(make=Every, **more):
    return Stage(make, channel="n/demod", schema=lambda name: {"name": f"sptools.{name}"}, source={}, **more)


def stream(parts, freq=100e6, boot=b"a" * 8):
    """parts: (first sample, count) each."""
    yield Start({"name": "sptools.IQ"}, "n/capture", boot, 0, 0, {"freq": freq})
    for sample, count in parts:
        data = np.repeat((np.arange(sample, sample + count) // D % 251).astype(np.uint8), 2)
        yield IQ(T0 + span(sample, RATE), sample, RATE, freq, datatype="cu8", data=data)


def run(stage, items):
    out = [o for item in items for o in stage.feed(item)]
    return out + list(stage.finish())


def test_samples_and_time_go_through():
    out = run(make_stage(), stream([(0, 1234), (1234, 5), (1239, 8761)]))
    assert isinstance(out[0], Start) and out[0].name == "Audio" and out[0].channel == "n/demod"
    blocks = out[1:]
    assert all(type(b) is Audio for b in blocks)
    assert sum(b.count for b in blocks) == 1000
    expected = 0
    for b in blocks:
        assert b.sample == expected
        assert abs(b.time - (T0 + span(b.sample * D, RATE) - span(25, RATE))) <= 1
        expected += b.count
    assert list(np.concatenate([components(b) for b in blocks])) == [i % 251 for i in range(1000)]


def test_a_gap_resets_and_stays_a_gap():
    out = run(make_stage(), stream([(0, 1000), (5003, 997)]))
    blocks = [b for b in out if isinstance(b, Audio)]
    after = next(b for b in blocks if b.sample >= 500)
    assert after.sample == 501  # ceil(5003 / 10)
    assert sum(b.count for b in blocks if b.sample < 500) == 100
    assert sum(isinstance(o, Start) for o in out) == 1
    assert abs(after.time - (T0 + span(5003 - 25, RATE))) <= 1


def test_the_smallest_gap_does_not_vanish():
    stage = make_stage()
    out = [b for b in run(stage, stream([(0, 1000), (1001, 999)])) if isinstance(b, Audio)]
    assert stage.gaps == 1 and stage.lost == 1
    assert [b.sample for b in out][:3] == [0, 70, 101]


def test_fill_puts_zeros_there_and_nothing_jumps():
    out = [b for b in run(make_stage(fill=True), stream([(0, 1000), (5003, 997)])) if isinstance(b, Audio)]
    at = 0
    for b in out:
        assert b.sample == at
        at += b.count
    y = np.concatenate([components(b) for b in out])
    assert not y[100:501].any() and y[501] == 5003 // D % 251


def test_a_gap_of_hours_is_not_filled():
    out = [b for b in run(make_stage(fill=True), stream([(0, 1000), (10**10, 1000)])) if isinstance(b, Audio)]
    assert sum(b.count for b in out) == 200


def test_two_starts_are_no_gap():
    items = [*stream([(0, 1000)]), *stream([(0, 1000)])]
    stage = make_stage()
    out = run(stage, items)
    assert stage.gaps == 0 and stage.starts == 2
    first, second = [o for o in out if isinstance(o, Start)]
    assert first.boot != second.boot
    assert [b.sample for b in out if isinstance(b, Audio)] == [0, 70, 0, 70]


def test_tunes_to_what_was_asked_for_and_follows_retunes():
    stage = make_stage(freq=100.2e6)
    items = list(stream([(0, 100), (100, 100), (200, 100)]))
    items[3].freq = 100.3e6
    run(stage, items[:1])
    kernels = []
    stage.make = lambda *a: kernels.append(Every(*a)) or kernels[-1]
    run(stage, items[1:])
    assert kernels[0].offsets == pytest.approx([200e3, -100e3])


def test_without_a_wish_it_hears_what_the_source_was_tuned_for():
    kernels = []
    stage = make_stage(make=lambda *a: kernels.append(Every(*a)) or kernels[-1])
    items = list(stream([(0, 100)]))
    items[0].source["freq"] = 100.25e6  # sp-capture --offset -250k
    run(stage, items)
    assert kernels[0].offsets == [250e3]


def test_outside_the_band_is_refused():
    with pytest.raises(OutsideBand, match="outside the captured band"):
        run(make_stage(freq=101e6), stream([(0, 100)]))


def test_a_live_frequency_that_is_refused_changes_nothing():
    stage = make_stage(freq=100.2e6)
    run_items = stream([(0, 100)])
    for item in run_items:
        list(stage.feed(item))
    with pytest.raises(OutsideBand):
        stage.set(freq=200e6)
    assert stage.freq == 100.2e6
    stage.set(freq=100.1e6)
    assert stage.kernel.offsets == pytest.approx([200e3, 100e3])


def test_another_rate_builds_the_kernel_anew():
    made = []
    stage = make_stage(make=lambda *a: made.append(a) or Every(*a))
    items = list(stream([(0, 1000), (1000, 1000)]))
    items[2].rate = 2e6
    out = run(stage, items)
    assert [a[0] for a in made[:1] + made[-1:]] == [1e6, 2e6]
    assert sum(isinstance(o, Start) for o in out) == 2  # the output has another rate too


def test_a_change_of_the_input_that_cannot_be_followed_is_bad_data_not_usage():
    stage = make_stage(freq=100.2e6)
    items = list(stream([(0, 1000), (1000, 1000)]))
    items[2].freq = 300e6
    for item in items[:2]:
        list(stage.feed(item))
    with pytest.raises(BadData, match=r"changed at sample 1000.*outside the captured band"):
        list(stage.feed(items[2]))


def test_audio_in_is_refused():
    stage = make_stage()
    with pytest.raises(BadData, match="takes IQ"):
        list(stage.feed(Audio(0, 0, 48e3, datatype="ri16_le", data=bytes(8))))


class Finder:
    """Finds a message at every 1000th sample."""

    ratio, delay, output = Fraction(0), 0.0, Output("Message")

    def __init__(self, *_):
        self.reset()

    def reset(self):
        self.n = 0

    def process(self, x):
        first, self.n = self.n, self.n + len(x) // 2
        return [Hit(i, -3.0, "test", "00", "crc", {}) for i in range(first, self.n) if i % 1000 == 0]

    def flush(self):
        return []


def test_messages_get_absolute_sample_and_time():
    out = run(make_stage(Finder), stream([(500, 1700), (2200, 1000), (9000, 10)]))
    messages = [o for o in out if isinstance(o, Message)]
    assert [m.sample for m in messages] == [500, 1500, 2500, 9000]
    assert [m.time - T0 for m in messages] == [span(m.sample, RATE) for m in messages]
