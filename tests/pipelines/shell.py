"""Runs the real commands, as processes."""

import os
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
ENV = {
    **{k: v for k, v in os.environ.items() if not k.startswith(("SP_", "FAKE_RTL"))},
    "PATH": f"{BIN}:{os.environ['PATH']}", "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "", "LC_ALL": "C.UTF-8",
}  # fmt: skip


def bash(line, cwd=None, *, timeout=60, **env):
    """A shell line with pipefail; → CompletedProcess with text stdout and stderr."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=cwd, env={**ENV, **env}, capture_output=True, text=True,
        timeout=timeout, stdin=subprocess.DEVNULL, errors="replace",
    )  # fmt: skip


def status(line, cwd=None, **env):
    """Exit statuses of each stage of a pipeline, as bash sees them, and stderr."""
    done = bash(f"{line}; echo STATUS ${{PIPESTATUS[@]}} >&2", cwd, **env)
    text, _, codes = done.stderr.rpartition("STATUS ")
    return [int(c) for c in codes.split()], text


def start(*argv, cwd=None, **how):
    """A command as a process, its streams pipes unless told otherwise."""
    how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    return subprocess.Popen([str(a) for a in argv], cwd=cwd, env=ENV, **how)
