"""Runs a command on hostile input, and holds it to what every command promises of itself then."""

import os
import re
import subprocess
import sys
import time
import zlib

import zstandard
from containers import block, header, iq, schema
from shell import ENV

SOAK = bool(os.environ.get("SP_SOAK"))
MOST_MiB = 200
MOST_s = 5.0
GOOD = (0, 1000, 2000, 4000, 5000)  # samples at which the blocks around a bad one begin
PACK = {"null": bytes, "zstandard": zstandard.compress, "deflate": lambda data: zlib.compress(data, 1)[2:-4]}
# A child begins with the peak of the process that forked it: a small one stands between the tests' and the command's.
WATCH = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
open(sys.argv[1], "w").write(f"{code} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}")
"""


def run(folder, line, data):
    """`line` with `data` on stdin: (status, stdout, stderr); it must be quick, small, and no bug of ours."""
    source = folder / "in"
    source.write_bytes(data)
    began = time.monotonic()
    with source.open("rb") as stdin, (folder / "out").open("w+b") as out, (folder / "err").open("w+b") as err:
        watched = [sys.executable, "-S", "-E", "-c", WATCH, "peak", "bash", "-c", f"exec {line}"]
        subprocess.run(watched, stdin=stdin, stdout=out, stderr=err, env=ENV, cwd=folder)
    code, peak = map(int, (folder / "peak").read_text().split())
    text = (folder / "err").read_text(errors="replace")
    assert time.monotonic() - began < MOST_s, line
    assert peak < MOST_MiB * 1024, f"{line}: {peak >> 10} MiB"
    assert "Traceback" not in text and "bug" not in text and "Warning" not in text, text
    return code, (folder / "out").read_bytes(), text


def around(bad, codec="null"):
    """A container in which three good blocks stand before `bad` and two behind it."""
    good = [block(PACK[codec](iq(at))) for at in GOOD]
    return header(schema("IQ"), codec) + b"".join(good[:3]) + bad + b"".join(good[3:])


def tame(data):
    """No byte or character that a terminal would obey, but for the ends of our own lines."""
    text = data.decode()
    return not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", text)
