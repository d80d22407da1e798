"""A network namespace with nothing but loopback, for tests that send multicast and use fixed ports."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from shell import ENV

ALONE = ["unshare", "-rn"] if os.geteuid() else ["unshare", "-n"]
UP = "ip link set lo up && ip route add 224.0.0.0/4 dev lo && exec "


def possible():
    done = subprocess.run([*ALONE, "bash", "-c", "ip link set lo up"], capture_output=True)
    return done.returncode == 0


needs_namespace = pytest.mark.skipif(not possible(), reason="no network namespaces here")


def script(body, cwd, *, timeout=60, **env):
    """Runs Python in a namespace of its own, with what `relaying` has; its stdout, stderr and status."""
    prelude = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})\nfrom relaying import *\n"
    done = subprocess.Popen(
        [*ALONE, "bash", "-c", UP + '"$@"', "-", sys.executable, "-c", prelude + textwrap.dedent(body)], cwd=cwd,
        env={**ENV, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        out, said = done.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(done.pid, signal.SIGKILL)
        out, said = done.communicate()
        raise AssertionError(f"not done within {timeout} s: {out}{said}") from None
    assert done.returncode == 0, f"{out}\n{said}"
    return out, said
