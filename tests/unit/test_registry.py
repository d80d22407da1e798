"""What there is, by file name."""

import sys

import pytest

from sptools import registry
from sptools.errors import Usage


def test_names_are_files_and_packages(tmp_path, monkeypatch):
    folder = tmp_path / "dsp" / "demods"
    for name in ("wbfm.py", "_shared.py", "notes.txt", "__pycache__/x.py", "big/__init__.py", "empty/x.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    monkeypatch.setattr(registry, "HOME", str(tmp_path))
    assert registry.names("demods") == ["big", "wbfm"]
    assert registry.find("demods", "big").endswith("big/__init__.py")
    assert registry.names("nothing") == []


def test_names_imports_nothing():
    before = set(sys.modules)
    for kind in ("demods", "drivers", "formats", "transports", "drivers/sim"):
        registry.names(kind)
    assert set(sys.modules) == before


@pytest.mark.parametrize("name", ["fil", "../errors", "_chunk", "", "a b"])
def test_unknown_names_the_valid_ones(name):
    with pytest.raises(Usage, match=r"no transport .*file"):
        registry.find("transports", name)


def test_load_gives_the_module():
    assert registry.load("transports", "file") is sys.modules["sptools.transports.file"]


def test_suffixes():
    assert registry.format_of("a/x.wav") == "wav" and registry.format_of("x.sigmf-meta") == "sigmf"
    assert registry.format_of("x.exe") is None and registry.format_of(".wav") is None
    assert registry.format_of("v1.2/x") is None


def test_a_plug_in_is_found_by_its_entry_point(tmp_path, monkeypatch):
    info = tmp_path / "buzz-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: buzz\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[sptools.demods]\nbuzz = buzz_module\n")
    (tmp_path / "buzz_module.py").write_text('def buzz(rate, *, tone: float = 1.0):\n    """Buzzes."""\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "buzz" not in registry.names("demods")
    assert registry.describe("demods", "buzz").summary == "Buzzes."
    assert registry.load("demods", "buzz").__name__ == "buzz_module"
