"""Text: one line a record, safe on any terminal, a spectrum as wide as the window."""

import os
import pty
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from format_io import EPOCH, blocks, put
from test_jsonl import message, spectrum

from sptools.formats import _terminal, text
from sptools.formats._bars import Bars, squeeze
from sptools.record import IQ, Rows, Start

BARE = {"TERM": "xterm", "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
SPECTRUM = """
import sys, numpy as np
from sptools.formats import text
from sptools.record import Spectrum
from sptools.transports.file import Output
power = np.full(4096, -100, np.float32); power[3000] = -20
sink = text.write(Output(sys.argv[1]))
sink.put(Spectrum(10**18, 0, 2e6, 100e6, 2e6, 1500.0, 10, "hann", "mean", power))
sink.flush()
"""


def written(tmp_path, items):
    put(text, tmp_path / "x.txt", items)
    return (tmp_path / "x.txt").read_text().splitlines()


def test_blocks_show_level_and_gaps(tmp_path):
    items = blocks([1000, 1000], skip={1: 77})
    tone = np.exp(2j * np.pi * np.arange(1000) / 20) / 2
    items[1].data = np.rint(tone.view(float) * 127.5 + 127.5).astype(np.uint8)
    first, second = written(tmp_path, items)
    assert first.startswith("2026-05-28T20:26:40.123456Z sample")
    assert " 2.4MS/s 99.7MHz level   -6.0" in first and "gap" not in first
    assert second.endswith("gap: 77 samples lost") and " 1077 " in second


def test_empty_and_strange_blocks(tmp_path):
    strange = IQ(2**62, 0, float("nan"), float("inf"), datatype="cf32_le", data=np.full(2, np.nan, np.float32))
    lines = written(tmp_path, [IQ(0, 0, 1e6, data=b""), strange, IQ(-(2**62), 0, 1e6, data=b"\x80\x80")])
    assert len(lines) == 3 and "nan dBFS" in lines[0]


def test_aircraft_stand_in_columns(tmp_path):
    lines = written(
        tmp_path,
        [
            message(icao="4840D6", callsign="KLM1023", type=4),
            message(icao="40621D", altitude_ft=38000, latitude=52.25720, longitude=3.91937),
            message(icao="485020", ground_speed_kt=159.2, track_deg=182.88, vertical_rate_ftpmin=-832),
        ],
    )
    assert len({line.index("dBFS") for line in lines}) == 1
    assert "4840D6 KLM1023 " in lines[0] and lines[0].endswith("8d4840d6")
    assert "38000ft    52.2572°     3.91937°" in lines[1]
    assert "159.2kt 182.88°   -832ft/min" in lines[2]


def test_other_messages_and_rows(tmp_path):
    other = message(station="KQED", pi="F2 1")
    other.protocol = "rds"
    lines = written(tmp_path, [other, Rows([{"time": EPOCH, "t_C": 20.1, "x": None, "b": b"\xff"}])])
    assert lines[0].endswith("8d4840d6 station=KQED pi='F2 1'")
    assert lines[1] == "2026-05-28T20:26:40.123456Z t_C=20.1 x=- b=ff"


def test_control_bytes_do_not_reach_the_terminal(tmp_path, monkeypatch):
    nasty = "\x1b]0;owned\x07\n\u202e\x9b"
    start = Start({"name": "x"}, nasty)
    items = [Start({"name": "x"}, "a"), start, message(icao=nasty, callsign=nasty, x=nasty), message(name=nasty)]
    monkeypatch.setenv("COLUMNS", "120")
    items += [Rows([{nasty: nasty}]), spectrum([1, 2], unit=nasty), IQ(0, 0, 1e6, data=b"ab")]
    items[3].protocol = items[3].raw = nasty
    put(text, tmp_path / "x.txt", items)
    data = (tmp_path / "x.txt").read_bytes().decode()
    assert "\\x1b" in data and not set(data) & set("\x1b\x07\u202e\x9b") and data.count("\n") == 5


@pytest.mark.parametrize("columns", [40, 80, 133])
@pytest.mark.parametrize("bins", [64, 1024, 100_000])
def test_a_spectrum_fits_the_window(tmp_path, monkeypatch, columns, bins):
    monkeypatch.setenv("COLUMNS", str(columns))
    power = np.full(bins, -100.0)
    power[bins // 4] = -10
    (line,) = written(tmp_path, [spectrum(power)])
    assert len(line) <= max(columns, 50) and "peak 99.2M     -10.0 dB" in line
    if columns >= 80:
        assert line.count("█") == 1


def test_squeeze_keeps_the_strongest_and_marks_holes():
    power = np.array([1, 5, np.nan, 2, np.nan, np.nan, 7])
    assert squeeze(power, 3).tolist()[:2] == [5, 2] and squeeze(power, 3)[2] == 7
    assert np.isnan(squeeze(np.array([1, 1, np.nan, np.nan]), 2)[1])
    assert "?" in Bars().line(power, 7, colour=False, unicode=True)
    assert Bars().line(np.full(9, np.nan), 4, colour=True, unicode=False).count("?") == 4


def test_noise_alone_does_not_look_like_a_signal():
    bars = Bars()
    rng = np.random.default_rng(1)
    for _ in range(5):
        line = bars.line(rng.normal(-100, 0.5, 1000), 100, colour=False, unicode=False)
    assert not set(line) & set("#@*+=")


def on_terminal(env, columns=100):
    """What the child writes to a pseudo-terminal of so many columns."""
    import fcntl
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    subprocess.run([sys.executable, "-c", SPECTRUM, "-"], stdout=follower, env=env, check=True)
    data = os.read(leader, 1 << 16).decode()
    os.close(follower)
    os.close(leader)
    return data


def test_colour_on_a_terminal_only_unless_asked_for(tmp_path):
    shown = on_terminal(BARE)
    bare = re.sub(r"\x1b\[[0-9;]*m", "", shown).rstrip("\r\n")
    assert "\x1b[38;5;196m█" in shown and "peak 100.4648M" in bare
    assert len(bare) == 100 and len(re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(BARE, 132)).rstrip("\r\n")) == 132
    assert "\x1b" not in on_terminal(BARE | {"NO_COLOR": "1"})
    assert "\x1b" not in on_terminal(BARE | {"TERM": "dumb"})

    def piped(env):
        return subprocess.run([sys.executable, "-c", SPECTRUM, "-"], env=env, check=True, capture_output=True).stdout.decode()

    plain = piped(BARE)
    assert "\x1b" not in plain and "█" in plain and len(plain) == 81
    assert "\x1b" in piped(BARE | {"FORCE_COLOR": "1"}) and "\x1b" in piped(BARE | {"CLICOLOR_FORCE": "1"})
    assert "\x1b" not in piped(BARE | {"FORCE_COLOR": "1", "NO_COLOR": "1"})
    ascii_ = piped(BARE | {"LANG": "C"})
    assert ascii_.isascii() and "@" in ascii_ and len(ascii_) == 81


@pytest.mark.parametrize(
    "env, expected",
    [
        ({"LANG": "en_US.UTF-8"}, True), ({"LANG": "C"}, False), ({}, False), ({"LC_ALL": "C", "LANG": "x.utf8"}, False),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, False), ({"LC_CTYPE": "C.UTF-8"}, True), ({"LANG": "de_DE"}, False),
    ],
)  # fmt: skip
def test_locale(env, expected):
    assert _terminal.unicode(env) == expected


def test_several_channels_are_told_apart(tmp_path):
    items = [Start({"name": "Message"}, "site/a"), message(), Start({"name": "Message"}, "site/b"), message()]
    _, second = written(tmp_path, items)
    assert second.startswith("site/b  2026-")
