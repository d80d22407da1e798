"""A signature read by `ast`, and where the values of its settings come from."""

import math

import pytest

from sptools import settings
from sptools.describe import Setting, read_summary
from sptools.errors import BadConfig, Bug, Usage
from sptools.settings import describe, read_files, resolve
from sptools.units import HERTZ, RATE, Within

SOURCE = '''
import a_module_that_does_not_exist
from sptools.units import *

TAU = 50e-6
Width = Annotated[Live[Hertz], Within(10e3, 300e3)]


def wbfm(rate: float, datatype: str, offset: float = 0.0, *, bandwidth: Width = 2 * 100e3, tau: Seconds = TAU,
         squelch: Live[Decibel] | None = None, gain: Gain = float("nan"), kind: Literal["a", "b"] = "a",
         freqs: Live[list[Hertz]] = [], dc: bool = True, limit: int = -1, size: "Size" = 1 << 20):
    """Broadcast FM.

    One paragraph.

        y = x

    Settings:
        bandwidth: width of the channel
            filter
        tau: de-emphasis
    Examples:
        sp-a | \\\\
          sp-b
        sp-c
    Memory: streams.
    Source: a standard.
    """
'''


@pytest.fixture
def wbfm(tmp_path):
    path = tmp_path / "wbfm.py"
    path.write_text(SOURCE)
    return describe(str(path))


@pytest.fixture(autouse=True)
def nothing_from_outside(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(settings, "SYSTEM_FILE", str(tmp_path / "system.toml"))


def test_a_signature_is_read_without_import(wbfm):
    assert [s.name for s in wbfm.positional] == ["rate", "datatype", "offset"]
    width = wbfm.setting("bandwidth")
    assert (width.unit, width.default, width.live, width.within) == (HERTZ, 200e3, True, Within(10e3, 300e3))
    assert width.help == "width of the channel filter"
    assert wbfm.setting("tau").default == 50e-6
    squelch = wbfm.setting("squelch")
    assert squelch.optional and squelch.live and squelch.default is None and squelch.short == "-l"
    assert math.isnan(wbfm.setting("gain").default)
    assert wbfm.setting("kind").choices == ("a", "b")
    assert wbfm.setting("freqs").many and wbfm.setting("freqs").live and wbfm.setting("freqs").unit is HERTZ
    assert wbfm.setting("dc").negative == "--no-dc"
    assert wbfm.setting("limit").default == -1 and wbfm.setting("size").default == 1 << 20


def test_a_docstring_is_read_in_sections(wbfm):
    assert (wbfm.summary, wbfm.text) == ("Broadcast FM.", "One paragraph.\n\n    y = x")
    assert wbfm.examples == ["sp-a | sp-b", "sp-c"]
    assert wbfm.sections["memory"] == "streams." and wbfm.source == "a standard."
    assert read_summary(wbfm.path, "wbfm") == "Broadcast FM."


def test_a_file_without_its_function_is_our_fault(tmp_path):
    path = tmp_path / "x.py"
    path.write_text("def y(): pass\n")
    with pytest.raises(Bug, match="no function x"):
        describe(str(path))


def test_precedence(tmp_path, monkeypatch):
    freq = Setting("freq", HERTZ, 1.0)
    system, user, chosen = tmp_path / "system.toml", tmp_path / "config" / "sptools.toml", tmp_path / "mine.toml"
    user.parent.mkdir()

    def value(mode=None, config=None, **flags):
        return resolve(freq, "demod", mode, flags=flags, files=read_files(config))

    assert value() == (1.0, "default")
    system.write_text('[demod]\nfreq = "2k"\n')
    assert value() == (2000.0, str(system))
    user.write_text("[demod]\nfreq = 3000\n[demod.wbfm]\nfreq = '4k'\n")
    assert value() == (3000.0, str(user)) and value("wbfm") == (4000.0, str(user)) and value("am").value == 3000.0
    chosen.write_text("[demod]\nfreq = '5k'\n")
    assert value(config=str(chosen)) == (5000.0, str(chosen))
    monkeypatch.setenv("SP_DEMOD_FREQ", "6k")
    assert value("wbfm") == (6000.0, "SP_DEMOD_FREQ")
    monkeypatch.setenv("SP_DEMOD_WBFM_FREQ", "7k")
    assert value("wbfm") == (7000.0, "SP_DEMOD_WBFM_FREQ") and value("am").value == 6000.0
    assert value("wbfm", freq="8k") == (8000.0, "flag")


def test_a_bad_value_says_where_it_stands(tmp_path, monkeypatch):
    rate = Setting("rate", RATE, 1.0)
    path = tmp_path / "bad.toml"
    path.write_text("[capture]\nrate = '2m'\n")
    with pytest.raises(BadConfig, match=r"bad\.toml: \[capture\] rate = '2m'.*mega"):
        resolve(rate, "capture", flags={}, files=read_files(str(path)))
    monkeypatch.setenv("SP_CAPTURE_RATE", "x")
    with pytest.raises(BadConfig, match="SP_CAPTURE_RATE=x"):
        resolve(rate, "capture", flags={}, files=[])
    with pytest.raises(Usage, match=r"--rate 0: .*above 0"):
        resolve(rate, "capture", flags={"rate": "0"}, files=[])


@pytest.mark.parametrize("text", ["[demod", "a = 1\na = 2\n", "\udcff"])
def test_a_file_that_is_no_toml_is_a_configuration_error(tmp_path, text):
    path = tmp_path / "x.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadConfig, match=r"x\.toml"):
        read_files(str(path))
    with pytest.raises(BadConfig, match="no such"):
        read_files(str(tmp_path / "none.toml"))


def test_an_unknown_key_names_the_valid_ones(tmp_path):
    path = tmp_path / "x.toml"
    modes = {"wbfm": ["bandwidth"], "am": []}

    def check(text, mode=None):
        path.write_text(text)
        settings.check_keys(read_files(str(path)), "demod", mode, ["freq"], lambda: modes)

    with pytest.raises(BadConfig, match=r"\[demod\] has no key 'wbmf': did you mean wbfm\?"):
        check("[demod.wbmf]\nbandwidth = 1\n")
    check("[demod]\nfreq = 1\nbandwidth = 2\n[demod.am]\n[other]\nx = 1\n", "am")
    with pytest.raises(BadConfig, match=r"\[demod\] has no key 'frek': did you mean freq\? there are freq"):
        check("[demod]\nfrek = 1\n")
    with pytest.raises(BadConfig, match=r"\[demod.am\] has no key 'bandwidth'"):
        check("[demod.am]\nbandwidth = 1\n", "am")
    with pytest.raises(BadConfig, match="must be a table"):
        check("demod = 1\n")


def test_a_table_of_no_tool_is_refused():
    def check(**tables):
        settings.check_tables(settings.File("x.toml", tables), ["capture", "demod"])

    check(capture={}, demod={})
    with pytest.raises(BadConfig, match=r"x.toml: no tool reads \[captur\]: did you mean capture\? there are \[capture\], "):
        check(captur={})
    with pytest.raises(BadConfig, match="freq stands in no table"):
        check(freq=1)
    with pytest.raises(BadConfig, match="'true' is not a frequency"):
        Setting("freq", HERTZ).parse(True, "x", BadConfig)


def test_ranges_and_choices_are_refused_by_name():
    with pytest.raises(Usage, match="5k is outside 10k to 300k"):
        Setting("bandwidth", HERTZ, within=Within(10e3, 300e3)).parse("5k")
    with pytest.raises(Usage, match="'c' is not one of a, b"):
        Setting("kind", choices=("a", "b")).parse("c")
    assert Setting("freq", HERTZ, many=True).parse("1k,2k") == [1000.0, 2000.0]
    assert Setting("freq", HERTZ, many=True).parse(["1k", 2]) == [1000.0, 2.0]
    with pytest.raises(Usage, match="more than one"):
        Setting("freq", HERTZ).parse([1, 2])
