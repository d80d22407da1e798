"""sp-pipe@.service: what its text promises, and what a real systemd makes of it."""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import fastavro
import pytest

import sptools
from sptools.errors import all_codes

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "scripts/systemd/sp-pipe@.service"
RIG = ROOT / "tests/rig/systemd"
WAIT_s = 20.0

pytestmark = pytest.mark.xdist_group("box")  # one box at a time

PIPES = {
    "drain": "sp-capture sim:fm | sp-demod wbfm -o drain.avro",
    "foreign": "sp-capture sim:fm | sp-demod wbfm -o wav:- | cat > /dev/null",
    "crash": "# the last stage dies\nsp-capture sim:fm | \\\n  sp-demod wbfm -o crash.avro",
    "usage": "sp-capture sim:fm --no-such-flag | sp-demod wbfm -o usage.avro",
    "typing": "sp-capture sim:fm | | sp-demod wbfm",
    "missing": "sp-captur sim:fm | cat",
    "short": "sp-capture sim:fm,pace=0 | head -c 100000 > short.avro",
}


class Box:
    """A machine of its own, where systemd runs our unit. `pid` is the boot script's."""

    def __init__(self, pid: int):
        self.pid = pid

    def run(self, *command: str, check: bool = True) -> str:
        done = subprocess.run([RIG / "enter", str(self.pid), *command], capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout.strip()

    def show(self, name: str) -> dict[str, str]:
        """The properties of sp-pipe@NAME."""
        return dict(line.split("=", 1) for line in self.run("systemctl", "show", f"sp-pipe@{name}").splitlines())

    def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + WAIT_s
        while not condition():
            assert time.monotonic() < deadline, f"{what}\n{self.run('journalctl', '--no-pager', '-n', '60')}"
            time.sleep(0.1)

    def start(self, name: str) -> None:
        self.run("systemctl", "start", f"sp-pipe@{name}")

    def stages(self, name: str) -> list[str]:
        """The commands that sp-pipe@NAME consists of at present."""
        main = self.show(name)["MainPID"]
        return self.run("ps", "-o", "comm=", "--ppid", main, check=False).split()

    def read(self, path: str) -> bytes:
        return subprocess.check_output([RIG / "enter", str(self.pid), "cat", path], timeout=60)

    def exists(self, path: str) -> bool:
        return self.run("sh", "-c", f"test -s {path} && echo yes", check=False) == "yes"


def furnish(tree: Path) -> list[str]:
    """Lay unit, pipelines and commands into the box's TREE; returns the folders to bind.

    The unit may not look into anybody's home, where interpreter and environment of a developer often live: the box has
    them under /opt/sptools.
    """
    for folder in ("etc/systemd/system", "etc/sptools", "opt/sptools/bin"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(UNIT, tree / "etc/systemd/system")
    for name, pipe in PIPES.items():
        (tree / f"etc/sptools/{name}.pipe").write_text(pipe + "\n")
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    scripts = {
        "python": "#!/bin/sh\n"
        "export PYTHONPATH=/opt/sptools/src:/opt/sptools/site LD_LIBRARY_PATH=/opt/sptools/base/lib\n"
        f'exec /opt/sptools/base/bin/{python} "$@"\n'
    }
    for tool in ("capture", "demod"):
        scripts[f"sp-{tool}"] = f"#!/opt/sptools/bin/python\nfrom sptools.cmd.{tool} import main\nmain()\n"
    for name, text in scripts.items():
        path = tree / "opt/sptools/bin" / name
        path.write_text(text)
        path.chmod(0o755)
    return [
        f"{sys.base_prefix}=/opt/sptools/base",
        f"{sysconfig.get_path('purelib')}=/opt/sptools/site",
        f"{Path(sptools.__file__).parent}=/opt/sptools/src/sptools",
    ]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    if os.geteuid() != 0:
        pytest.skip("a box with its own systemd needs root")
    tree = tmp_path_factory.mktemp("tree")
    binds = furnish(tree)
    log = (tree.parent / "boot.log").open("w+")
    boot = subprocess.Popen([RIG / "boot", tree, *binds], stdout=log, stderr=log, start_new_session=True)
    machine = Box(boot.pid)
    try:
        deadline = time.monotonic() + WAIT_s
        while machine.run("systemctl", "is-system-running", check=False) != "running":
            assert boot.poll() is None and time.monotonic() < deadline, Path(log.name).read_text()
            time.sleep(0.1)
        yield machine
    finally:
        machine.run("systemctl", "poweroff", "--no-block", check=False)
        try:
            boot.wait(15)
        except subprocess.TimeoutExpired:
            boot.kill()
            raise
        log.close()


@pytest.fixture
def box(machine: Box) -> Iterator[Box]:
    yield machine
    machine.run("systemctl", "stop", "sp-pipe@*")


def directive(name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)
    return value


def test_restart_policy_comes_from_the_exit_codes():
    final = {int(code) for code in directive("RestartPreventExitStatus").split()}
    assert final - {126, 127} == {code for code, restart in all_codes().items() if not restart}
    subprocess.run([sys.executable, ROOT / "scripts/systemd/generate.py", "--check"], check=True)


def test_restarts_never_give_up():
    assert directive("StartLimitIntervalSec") == "0"
    assert float(directive("RestartSec")) <= 60
    assert directive("Restart") == "always"


@pytest.mark.parametrize("command", [["verify", "--man=no"], ["security", "--offline=true", "--threshold=15"]])
def test_systemd_analyze_has_no_complaint(command: list[str], tmp_path: Path):
    """`verify` exits 0 for an unknown key and only warns; 15 is an exposure of 1.5."""
    done = subprocess.run(["systemd-analyze", *command, UNIT], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.root
def test_stop_drains(box: Box):
    box.start("drain")
    # the output file exists from the first block on; two seconds of audio make the loss of a tail visible
    box.until(lambda: box.exists("/var/lib/sptools/drain.avro.part"), "no output")
    begin = time.monotonic()
    box.run("sleep", "2")
    box.run("systemctl", "stop", "sp-pipe@drain")
    assert time.monotonic() - begin < 2 + 6
    seen = box.show("drain")
    assert (seen["ActiveState"], seen["Result"], seen["ExecMainStatus"]) == ("inactive", "success", "0")
    assert not box.exists("/var/lib/sptools/drain.avro.part")
    blocks = list(fastavro.reader(io.BytesIO(box.read("/var/lib/sptools/drain.avro"))))
    samples = sum(len(block["data"]) // 2 for block in blocks)
    assert samples >= 2 * 48000 - 4800
    assert all(a["sample"] + len(a["data"]) // 2 == b["sample"] for a, b in pairwise(blocks))


@pytest.mark.root
def test_foreign_last_stage_is_a_clean_stop(box: Box):
    box.start("foreign")
    box.until(lambda: "cat" in box.stages("foreign"), "no cat")
    box.run("systemctl", "stop", "sp-pipe@foreign")
    assert box.show("foreign")["Result"] == "success"


@pytest.mark.root
def test_a_killed_stage_restarts_the_pipeline(box: Box):
    box.start("crash")
    box.until(lambda: box.exists("/var/lib/sptools/crash.avro.part"), "no output")
    before = box.show("crash")
    box.run("pkill", "-KILL", "-f", "wbfm -o crash.avro")
    box.until(lambda: box.show("crash")["NRestarts"] == "1", "no restart")
    box.until(lambda: box.show("crash")["SubState"] == "running", "not running")
    assert box.show("crash")["MainPID"] != before["MainPID"]
    box.run("systemctl", "stop", "sp-pipe@crash")
    assert "status=137" in box.run("journalctl", "--no-pager", "-u", "sp-pipe@crash")


@pytest.mark.root
@pytest.mark.parametrize(("name", "status"), [("usage", "2"), ("typing", "2"), ("missing", "127")])
def test_what_only_a_person_can_repair_stays_down(box: Box, name: str, status: str):
    """The second stage of `usage` ends with 66 (empty input), which would restart: the first one is the cause."""
    box.start(name)
    box.until(lambda: box.show(name)["ActiveState"] == "failed", "did not fail")
    seen = box.show(name)
    assert (seen["ExecMainStatus"], seen["NRestarts"]) == (status, "0")


@pytest.mark.root
def test_sigpipe_is_not_hidden(box: Box):
    """With systemd's default, IgnoreSIGPIPE=yes, a tool would see EPIPE where it expects to die."""
    box.start("short")
    box.until(lambda: int(box.show("short")["NRestarts"]) >= 1, "no restart")
    box.run("systemctl", "stop", "sp-pipe@short")
    assert "status=141" in box.run("journalctl", "--no-pager", "-u", "sp-pipe@short")
