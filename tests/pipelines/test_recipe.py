"""CONTRIBUTING's recipe: one file adds a demodulator. Its example is dropped into a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the new file in it: a file in the real one would meet other tests that run at the same time."""
    folder = tmp_path_factory.mktemp("checkout")
    (example,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("sptools", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "sptools/dsp/demods/level.py").write_text(example)
    return folder


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True, timeout=100
    )


def tool(copy: Path, name: str, *words: str) -> str:
    done = run(copy, "-c", f"from sptools.cmd.{name} import main; main()", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_appears_in_help(copy: Path):
    assert "level" in tool(copy, "demod", "--help")
    assert "values a second" in tool(copy, "demod", "level", "--help")


def test_its_setting_is_a_flag(copy: Path):
    tool(copy, "capture", "sim:tone,pace=0", "-s", "1M", "-n", "1000000", "-o", "x.sigmf-meta")
    for flags, count in (([], 1000), (["--audio", "100"], 100)):
        tool(copy, "demod", "level", "x.sigmf-meta", *flags, "-o", "level.ri16_le")
        assert (copy / "level.ri16_le").stat().st_size == 2 * count


def test_the_contracts_take_it_up(copy: Path):
    done = run(copy, "-m", "pytest", "-p", "no:cacheprovider", "tests/contracts", "-k", "level")
    passed = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0 and passed and int(passed[1]) >= 5, done.stdout[-3000:]
