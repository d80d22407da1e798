"""A signature becomes a command: real processes, their exit status, stdout and stderr."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sptools
from sptools import errors
from sptools.describe import read_signature
from sptools.flags import ACTIONS, filters
from sptools.render import EXIT
from sptools.settings import Common

TOOL = '''
import json, os, sys
from typing import Annotated, Literal
from sptools import errors
from sptools.cli import entry
from sptools.settings import Common
from sptools.units import *

def tool(run: Common, source: str, others: list[str] = ["-"], *, freq: Live[Hertz] = 100e6,
         level: Decibel | None = None, fancy: bool = True, many: list[Hertz] = [],
         width: Annotated[Live[Hertz], Within(10e3, 300e3)] = 200e3,
         kind: Literal["a", "b"] = "a", raises: str = "") -> int:
    """Shows what it got.

    Settings:
        freq: frequency to tune to
        width: width of the channel filter
    Examples:
        sp-tool x
    """
    if raises == "sigpipe":
        os.write(1, b"x" * 10_000_000)
    elif raises == "exit":
        return 3
    elif raises == "interrupt":
        raise KeyboardInterrupt
    elif raises == "zero":
        1 / 0
    elif raises:
        raise getattr(errors, raises)("so \\x1b[31mred\\nit was")
    if source == "reload":
        with open(run.config, "w") as file:
            file.write("[tool]\\nwidth = '20k'\\nlevel = 3\\nfreq = '7k'\\n")
        changed = run.reload()
        print(json.dumps(changed), run.values("width"), run.origin("width"), run.values("level"))
        print(run.said(changed), json.dumps(run.later()), run.said({"level": None}))
        return
    given = {k: v for k, v in locals().items() if k not in ("run", "raises")}
    common = {"output": run.output, "duration": run.duration, "verbose": run.verbose, "origin": run.origin("freq")}
    print(json.dumps(given | common))
main = entry(__file__)
if __name__ == "__main__":
    main()
'''

BEEP = '''
import numpy as np
from sptools.units import *

def beep(rate: float, datatype: str, offset: float = 0.0, *, tone: Annotated[Live[Hertz], Within(20, 20e3)] = 1e3,
         squelch: Live[Decibel] = 7.0):
    """Beeps like a throw-away demodulator.

    Settings:
        tone: what it beeps
    """
'''

DEMOD = '''
import json
from sptools.cli import entry
from sptools.settings import Common
from sptools.units import *

def demod(run: Common, mode: str, inputs: list[Place] = ["-"], *, squelch: Decibel | None = None, fill: str = "no"):
    """Demodulates."""
    print(json.dumps({"mode": mode, "settings": run.mode_settings, "inputs": inputs, "squelch": squelch, "fill": fill}))
main = entry(__file__, modes="demods")
'''

CAPTURE = '''
import json
from sptools.cli import entry
from sptools.settings import Common
from sptools.units import *

def capture(run: Common, source: str = "", *, freq: Live[Hertz] | None = None, buffer: Seconds = 4.0):
    """Captures."""
    print(json.dumps({"mode": run.mode, "settings": run.mode_settings, "source": source, "freq": freq}))
main = entry(__file__, drivers=True)
'''


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the package with commands and a demodulator of our own, and an empty home."""
    root = tmp_path_factory.mktemp("tree")
    shutil.copytree(Path(sptools.__file__).parent, root / "sptools", ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in {"cmd/tool": TOOL, "cmd/demod": DEMOD, "cmd/capture": CAPTURE, "dsp/demods/beep": BEEP}.items():
        (root / "sptools" / f"{path}.py").write_text(text)
    return root


@pytest.fixture
def run(tree):
    def run(tool, *arguments, env=None, code=0, **how):
        command = [sys.executable, "-m", f"sptools.cmd.{tool}"]
        if tool != "tool":
            command = [sys.executable, "-c", f"from sptools.cmd.{tool} import main; main()"]
        outer = {"PATH": os.environ["PATH"], "HOME": str(tree), "PYTHONPATH": str(tree)}
        how = {"capture_output": True, "text": True, "cwd": tree, "timeout": 30} | how
        done = subprocess.run([*command, *arguments], env=outer | (env or {}), **how)
        assert done.returncode == code, done.stderr
        return done

    return run


def test_help_is_complete_and_fits(run):
    text = run("tool", "--help").stdout
    assert text.startswith("sp-tool: Shows what it got.")
    assert "Usage: sp-tool SOURCE [OTHERS...] [SETTINGS]" in text
    assert "--width FREQ          width of the channel filter (default 200k, 10k to 300k, live)" in text
    for part in ("-f, --freq FREQ", "--no-fancy", "--kind a|b", "-o, --output ENDPOINT", "Examples:", "Exit status:"):
        assert part in text
    assert "Hertz" not in text and max(map(len, text.split("\n"))) <= 100
    assert run("tool", "-h", "x").stdout == text
    narrow = run("tool", "-h", env={"COLUMNS": "60"}).stdout
    assert max(map(len, narrow.split("\n"))) <= 60 < max(map(len, text.split("\n")))
    assert narrow.split() == text.split() == run("tool", "-h", env={"COLUMNS": "500"}).stdout.split()


def test_version(run):
    assert run("tool", "--version").stdout == f"sp-tool {sptools.__version__}\n"


def test_flags_arrive_as_values(run):
    got = json.loads(
        run("tool", "x", "y", "-f", "99.7M", "--level", "-20", "--no-fancy", "--many", "1k", "--many", "2k", "-o", "a",
            "-o", "b", "--duration", "2m", "-vv", "--kind=b").stdout
    )  # fmt: skip
    assert got == {
        "source": "x", "others": ["y"], "freq": 99.7e6, "level": -20, "fancy": False, "many": [1e3, 2e3],
        "width": 200e3, "kind": "b", "output": ["a", "b"], "duration": 120, "verbose": 2, "origin": "flag",
    }  # fmt: skip
    got = json.loads(run("tool", "-", "-f5k", "--", "-odd").stdout)
    assert (got["source"], got["others"], got["freq"]) == ("-", ["-odd"], 5e3)


def test_environment_and_file_arrive_too(run, tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("[tool]\nlevel = -3\nfancy = false\nmany = ['1k']\noutput = ['q.avro']\nverbose = 1\n")
    got = json.loads(run("tool", "x", "--config", str(path), env={"SP_TOOL_FREQ": "5k"}).stdout)
    assert (got["freq"], got["origin"], got["level"], got["fancy"]) == (5e3, "SP_TOOL_FREQ", -3, False)
    assert (got["many"], got["output"], got["verbose"]) == ([1e3], ["q.avro"], 1)


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "SOURCE is missing"),
        (["x", "--frek", "1"], "no such option: --frek: did you mean --freq? (try"),
        (["x", "-s", "2M"], "the input tells its rate"),
        (["x", "-f"], "try sp-tool --help"),
        (["x", "-f", "99.7m"], "--freq 99.7m: '99.7m' has two readings: milli (0.0997) or mega (99.7M)"),
        (["x", "-f", "1", "-f", "2"], "--freq is given twice: 1 and 2"),
        (["x", "--width", "5M"], "5M is outside 10k to 300k"),
        (["x", "--kind", "c"], "'c' is not one of a, b"),
        (["--print-completion", "tcsh"], "bash, zsh, fish"),
    ],
)
def test_a_wrong_line_is_one_line_and_2(run, arguments, said):
    done = run("tool", *arguments, code=2)
    assert said in done.stderr and done.stderr.startswith("sp-tool: ")
    assert done.stderr.count("\n") == 1 and done.stdout == ""


def test_wrong_configuration_is_78(run, tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("[tool]\nfrek = 1\n")
    assert "has no key 'frek': did you mean freq? there are" in run("tool", "x", "--config", str(path), code=78).stderr
    assert "SP_TOOL_FREQ=z" in run("tool", "x", env={"SP_TOOL_FREQ": "z"}, code=78).stderr
    assert "no such" in run("tool", "x", "--config", "/nowhere.toml", code=78).stderr
    path.write_text("[tol]\nfreq = 1\n")
    assert "no tool reads [tol]: did you mean tool?" in run("tool", "x", "--config", str(path), code=78).stderr


def test_a_variable_that_sets_nothing_is_told_of(run):
    env = {"SP_TOOL_FRQ": "1", "SP_CONTROL": "1", "SP_TOOL_KIND": "b", "SP_TOOLS": "x", "SP_TOOL_EMPTY": ""}
    assert run("tool", "x", env=env).stderr == "sp-tool: SP_TOOL_FRQ sets nothing: did you mean SP_TOOL_FREQ?\n"
    env = {"SP_DEMOD_TONE": "1k", "SP_DEMOD_BEEP_TONE": "1k", "SP_DEMOD_WBFM_DEEMPHASIS": "0", "SP_DEMOD_QQQ": "1"}
    assert run("demod", "beep", env=env).stderr == "sp-demod: SP_DEMOD_QQQ sets nothing: sp-demod has no such setting\n"


@pytest.mark.parametrize("name", ["BadData", "NoInput", "Unavailable", "CannotCreate", "IOFailure", "BadConfig"])
def test_an_error_is_one_line_and_its_code(run, name):
    done = run("tool", "x", "--raises", name, code=getattr(errors, name).code)
    assert done.stderr == "sp-tool: so \\x1b[31mred\\nit was\n"


def test_our_fault_is_70_and_shows_where_on_request(run):
    done = run("tool", "x", "--raises", "zero", code=70)
    assert "this is a bug: ZeroDivisionError" in done.stderr and done.stderr.count("\n") == 1
    assert "Traceback" in run("tool", "x", "--raises", "zero", "-vv", code=70).stderr
    run("tool", "x", "--raises", "exit", code=3)


def test_death_by_signal_is_truthful(run):
    assert run("tool", "x", "--raises", "interrupt", code=-2).stderr == ""
    reader, writer = os.pipe()
    os.close(reader)
    done = run(
        "tool", "x", "--raises", "sigpipe", code=-13, stdout=writer, capture_output=False, stderr=subprocess.PIPE
    )
    assert done.stderr == ""
    run("tool", "--help", code=-13, stdout=writer, capture_output=False, stderr=subprocess.PIPE)
    os.close(writer)


def test_streams_that_are_closed_or_full(tree):
    env = {"PATH": os.environ["PATH"], "HOME": str(tree), "PYTHONPATH": str(tree), "PY": sys.executable}
    for line, code, said in (
        ("exec $PY -m sptools.cmd.tool x >&-", 74, "standard output is closed"),
        ("exec $PY -m sptools.cmd.tool --help > /dev/full", 74, "No space left"),
        ("exec $PY -m sptools.cmd.tool x <&- 2>&- > /dev/null", 0, ""),
    ):
        done = subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, cwd=tree, timeout=30)
        assert done.returncode == code and said in done.stderr and "Traceback" not in done.stderr


def test_journal_prefixes(run, tmp_path):
    with open(tmp_path / "log", "w+") as log:
        status = os.fstat(log.fileno())
        env = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        run("tool", code=2, env=env, capture_output=False, stdout=subprocess.DEVNULL, stderr=log)
        log.seek(0)
        assert log.read().startswith("<3>sp-tool: ")


def test_reload_gives_live_settings_that_changed(run, tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("[tool]\n")
    done = run("tool", "reload", "-f", "5k", "--config", str(path))
    assert done.stdout == f'{{"width": 20000.0}} 20000.0 {path} None\nwidth 20k ["level"] level off\n'


def test_print_config_is_toml_that_means_the_same(run, tmp_path):
    text = run("tool", "--print-config", "-f", "99.7M", env={"SP_TOOL_WIDTH": "20k"}).stdout
    assert 'freq = "99.7M"  # flag' in text and 'width = "20k"  # SP_TOOL_WIDTH' in text
    assert tomllib.loads(text) == {"tool": {"freq": "99.7M", "width": "20k"}}
    bare = run("tool", "--print-config").stdout
    defaults = [r[1:] for r in bare.split("\n") if r.startswith("#") and not r.startswith("# ") and not r[-1].isupper()]
    path = tmp_path / "c.toml"
    path.write_text("\n".join(["[tool]", *(r for r in defaults if not r.endswith("= dB"))]))
    assert json.loads(run("tool", "x", "--config", str(path)).stdout) | {"origin": "default"} == json.loads(
        run("tool", "x").stdout
    )


def test_a_dropped_in_file_is_a_mode(run):
    assert "  beep                      Beeps like a throw-away demodulator." in run("demod", "--help").stdout
    text = run("demod", "beep", "--help").stdout
    assert "--tone FREQ           what it beeps (default 1k, 20 to 20k, live)" in text
    assert text.startswith("sp-demod beep: Beeps") and text.count("--squelch") == 1


def test_settings_of_a_mode_are_flags(run):
    got = json.loads(run("demod", "-l", "20", "beep", "x.avro", "--tone", "2k").stdout)
    assert got == {
        "mode": "beep",
        "settings": {"tone": 2e3, "squelch": 20},
        "inputs": ["x.avro"],
        "squelch": 20,
        "fill": "no",
    }
    got = json.loads(run("demod", "--fill", "beep", "beep", env={"SP_DEMOD_BEEP_TONE": "3k"}).stdout)
    assert got["settings"] == {"tone": 3e3, "squelch": 7} and got["squelch"] is None and got["fill"] == "beep"
    assert "outside 20 to 20k" in run("demod", "beep", "--tone", "1", code=2).stderr
    assert "did you mean beep?" in run("demod", "beeb", code=2).stderr
    assert "no demodulator 'WBFM': did you mean wbfm?" in run("demod", "WBFM", code=2).stderr
    assert "MODE is missing" in run("demod", code=2).stderr


def test_a_receiver_brings_its_settings(run):
    text = run("capture", "--help").stdout
    assert "  rtlsdr:" in text and "  rtltcp:" in text
    assert "--direct off|i|q" in run("capture", "rtlsdr:0", "--help").stdout
    got = json.loads(run("capture", "rtlsdr:serial=1,gain=3", "-f", "99.7M", "--direct", "q").stdout)
    assert got["mode"] == "rtlsdr" and got["freq"] == 99.7e6
    assert got["settings"] == {"serial": "1", "gain": 3, "freq": 99.7e6, "direct": "q"}
    assert "no key 'gan'" in run("capture", "rtlsdr:0,gan=3", code=2).stderr
    assert "outside 0 to 2.3G" in run("capture", "rtlsdr:0", "-f", "3G", code=2).stderr
    assert "--freq 99.7: 99.7 Hz? for megahertz write 99.7M" in run("capture", "sim:fm", "-f", "99.7", code=2).stderr
    assert json.loads(run("capture").stdout)["mode"] is None


@pytest.mark.parametrize("tool", ["tool", "demod", "capture"])
def test_completion_knows_flags_modes_and_files(run, tool, tmp_path):
    for shell in ("bash", "zsh", "fish"):
        script = run(tool, "--print-completion", shell).stdout
        if shutil.which(shell):
            subprocess.run([shell, "-n"], input=script, text=True, check=True, timeout=30)
    script = run("demod", "--print-completion", "bash").stdout

    def complete(*words):
        ask = f"COMP_WORDS=({' '.join(words)})\nCOMP_CWORD={len(words) - 1}\n_sp_demod\n"
        line = f"{script}\n{ask}printf '%s\\n' \"${{COMPREPLY[@]}}\""
        how = {"capture_output": True, "text": True, "check": True, "timeout": 30, "cwd": tmp_path}
        return subprocess.run(["bash", "-c", line], **how).stdout.split()

    assert complete("sp-demod", "be") == ["beep"]
    assert complete("sp-demod", "beep", "--to") == ["--tone"]
    assert complete("sp-demod", "--to") == []
    assert complete("sp-demod", "--print-completion", "z") == ["zsh"]
    assert complete("sp-demod", "--print-completion", "=", "z") == ["zsh"]
    (tmp_path / "bell").touch()
    assert complete("sp-demod", "be") == ["beep"] and complete("sp-demod", "beep", "be") == ["bell"]
    assert complete("sp-demod", "-q", "be") == ["beep"]
    script = run("capture", "--print-completion", "bash").stdout.replace("_sp_capture", "_sp_demod")
    assert complete("sp-capture", "rtls") == ["rtlsdr:"] and complete("sp-capture", "sim", ":", "ads") == ["adsb"]
    assert complete("sp-capture", "sim", ":", "nbfm", "--pa") == ["--pace"] and complete("sp-capture", "be") == ["bell"]


def test_generated_files_are_current_and_clean(tree):
    root = Path(__file__).parents[2]
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, root / "scripts/generate", "--check"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    pages = sorted((root / "man").glob("*.1"))
    assert pages
    for page in pages:
        if shutil.which("mandoc"):
            lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
            assert lint.stdout + lint.stderr == ""
    assert tomllib.loads((root / "docs/sptools.toml").read_text()).keys() >= {"capture", "demod"}


def test_common_has_every_common_flag():
    declared = {s.name for s in read_signature(filters.__code__.co_filename, "filters").settings}
    assert declared - set(ACTIONS) | {"config"} == set(Common.__annotations__)


def test_exit_codes_are_those_of_the_errors():
    assert set(errors.all_codes()) <= set(EXIT)
