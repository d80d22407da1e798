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


@pytest.fixture(autouse=True)
def no_window(monkeypatch):
    """What runs the tests may say how wide its own window is."""
    monkeypatch.delenv("COLUMNS", raising=False)


def written(tmp_path, items):
    put(text, tmp_path / "x.txt", items)
    return (tmp_path / "x.txt").read_text().splitlines()


def test_blocks_show_level_and_gaps(tmp_path):
    items = blocks([1000, 1000], skip={1: 77})
    tone = np.exp(2j * np.pi * np.arange(1000) / 20) / 2
    items[1].data = np.rint(tone.view(float) * 127.5 + 127.5).astype(np.uint8)
    names, first, second = written(tmp_path, items)
    assert names.split() == ["2026-05-28", "sample", "count", "type", "S/s", "Hz", "dBFS"]
    assert first.split() == ["20:26:40.123456", "0", "1000", "cu8", "2.4M", "99.7M", "-6.0"] and len(first) < 80
    assert [first.index(end) + len(end) for end in ("2.4M", "99.7M")] == [names.index(n) + len(n) for n in ("S/s", "Hz")]
    assert second.endswith("  lost 77") and " 1077 " in second


def test_empty_and_strange_blocks(tmp_path):
    strange = IQ(2**62, 0, float("nan"), float("inf"), datatype="cf32_le", data=np.full(2, np.nan, np.float32))
    lines = written(tmp_path, [IQ(0, 0, 1e6, data=b""), strange, IQ(-(2**62), 0, 1e6, data=b"\x80\x80")])
    assert len([line for line in lines if "dBFS" not in line]) == 3 and "   nan" in lines[1]


def test_aircraft_stand_in_columns(tmp_path):
    lines = written(
        tmp_path,
        [
            message(icao="4840D6", callsign="KLM1023", type=4),
            message(icao="40621D", altitude_ft=38000, latitude=52.25720, longitude=3.91937),
            message(icao="485020", ground_speed_kt=159.2, track_deg=182.88, vertical_rate_ftpmin=-832),
        ],
    )
    assert lines[0] == "2026-05-28   icao   callsign sqwk    ft      lat       lon   kt deg ft/min  dB   raw"
    assert lines[1] == "20:26:40.123 4840D6 KLM1023                                                -12   8d4840d6"
    assert lines[2] == "20:26:40.123 40621D               38000  52.2572    3.9194                 -12   8d4840d6"
    assert lines[3] == "20:26:40.123 485020                                         159 183   -832 -12   8d4840d6"


def test_a_table_leaves_out_what_has_no_room(tmp_path, monkeypatch):
    heard = message(icao="4840D6", squawk="7000", altitude_ft=38000, latitude=-51.2, longitude=-179.99999, track_deg=5.0,
                    ground_speed_kt=1200, vertical_rate_ftpmin=-10000)  # fmt: skip
    heard.valid = "repaired"
    ends = {109: "-12 r 8d4840d6", 80: "-10000 -12 r", 75: "-10000 -12 r", 60: "-180.0000 1200", 20: "-180.0000"}
    for columns, said in ends.items():
        monkeypatch.setenv("COLUMNS", str(columns))
        names, line = written(tmp_path, [heard])
        assert line.endswith(said) and max(len(names), len(line)) <= max(columns, 58)
        assert ("sqwk" in names) == ("7000" in line) == (columns >= 80)
    names, line = written(tmp_path, [IQ(0, 0, 2.4e6, 1090.5e6, data=b"ab")])
    assert names.split()[-1] == "dBFS" and "count" not in names


def test_names_stand_above_once_and_again_on_another_day(tmp_path):
    day = 86_400 * 10**9
    items = [blocks([10])[1], blocks([10])[1], blocks([10])[1]]
    items[2].time += day
    assert [line.split()[0] for line in written(tmp_path, items)] == [
        "2026-05-28", "20:26:40.123456", "20:26:40.123456", "2026-05-29", "20:26:40.123456",
    ]  # fmt: skip


def test_odd_values_of_an_aircraft(tmp_path):
    lines = written(tmp_path, [message(icao=None, altitude_ft=float("nan"), latitude=1e300, track_deg="x", squawk=[1])])
    assert len(lines) == 2 and lines[1].split()[1:5] == ["-", "[1]", "-", "1e+300"]


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
    assert "\\x1b" in data and not set(data) & set("\x1b\x07\u202e\x9b") and data.count("\n") == 9


@pytest.mark.parametrize("columns", [40, 80, 133])
@pytest.mark.parametrize("bins", [64, 1024, 100_000])
def test_a_spectrum_fits_the_window(tmp_path, monkeypatch, columns, bins):
    monkeypatch.setenv("COLUMNS", str(columns))
    power = np.full(bins, -100.0)
    power[bins // 4] = -10
    *above, line = written(tmp_path, [spectrum(power)])
    assert all(len(row) <= columns for row in [*above, line]) and line.endswith(" 99.2M  -10.0")
    assert "▁ -105 to █ -10 dBFS/Hz" in above[0] and above[-1].endswith("      peak")
    assert {"98.7M", "100.7M"} <= set(above[-1].split()) and len(above) == (1 if columns >= 80 else 2)
    assert line.count("█") == 1


def test_edges_say_what_a_column_resolves():
    assert text.edge(95.037891e6, 9.92e6 / 52) == "95M" and text.edge(98.8e6, 2.4e6 / 52) == "98.8M"
    assert text.edge(100e6, 0.0) == "100M" and text.edge(float("nan"), 1.0) == "nan"


def test_the_scale_is_told_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    quiet, loud = np.full(64, -100.0), np.full(64, -100.0)
    loud[9] = -20
    lines = written(tmp_path, [spectrum(quiet), spectrum(quiet), spectrum(loud), spectrum(loud)])
    assert ["dBFS/Hz" in line for line in lines] == [True, False, False, True, False, False]
    assert "-75 dBFS/Hz" in lines[0] and "-20 dBFS/Hz" in lines[3]


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
    assert "\x1b[38;5;196m█" in shown and bare.endswith(" 100.4648M  -20.0")
    widest = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(BARE, 132)).splitlines()[-1]
    assert len(bare.splitlines()[-1]) == 100 and len(widest) == 132
    assert "\x1b" not in on_terminal(BARE | {"NO_COLOR": "1"})
    assert "\x1b" not in on_terminal(BARE | {"TERM": "dumb"})

    def piped(env):
        return subprocess.run([sys.executable, "-c", SPECTRUM, "-"], env=env, check=True, capture_output=True).stdout.decode()

    plain = piped(BARE)
    assert "\x1b" not in plain and "█" in plain and len(plain.splitlines()[-1]) == 80
    assert "\x1b" in piped(BARE | {"FORCE_COLOR": "1"}) and "\x1b" in piped(BARE | {"CLICOLOR_FORCE": "1"})
    assert "\x1b" not in piped(BARE | {"FORCE_COLOR": "1", "NO_COLOR": "1"})
    ascii_ = piped(BARE | {"LANG": "C"})
    assert ascii_.isascii() and "@" in ascii_ and len(ascii_.splitlines()[-1]) == 80


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
    items[1:4:2] = message(icao="4840D6"), IQ(EPOCH, 0, 1e6, data=b"ab")
    lines = written(tmp_path, [*items, items[0], items[1]])
    assert [line[:8] for line in lines[1:]] == ["20:26:40", "site/b  ", "site/b  ", "site/a  "]
