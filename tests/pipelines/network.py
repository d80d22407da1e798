"""What tests of the network share: free ports, commands that have begun to listen, certificates."""

import os
import select
import socket
import subprocess
import time

import pytest
from shell import start

STARTED = []


@pytest.fixture(autouse=True)
def none_left():
    """A test that fails leaves no listener behind."""
    yield
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            process.kill()
            process.communicate()


def free_port(family=socket.AF_INET):
    with socket.socket(family) as sock:
        sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        return sock.getsockname()[1]


def until(process, words, times=1, seconds=15):
    """Reads stderr until `words` stood there so many times; → what was read."""
    end, text = time.monotonic() + seconds, b""
    while text.count(words.encode()) < times:
        assert time.monotonic() < end, text
        ready, _, _ = select.select([process.stderr], [], [], 0.5)
        if ready:
            more = os.read(process.stderr.fileno(), 65536)
            assert more, (process.wait(), text)
            text += more
    return text.decode()


def listening(*argv, **how):
    """A command with -v that says where it listens."""
    process = start(*argv, "-v", **how)
    STARTED.append(process)
    until(process, "listening on")
    return process


def stop(process, seconds=5):
    """SIGTERM; → (exit status, stderr) and how long it took."""
    begun = time.monotonic()
    process.terminate()
    _, text = process.communicate(timeout=seconds + 5)
    return process.returncode, text.decode(), time.monotonic() - begun


def wait_for(condition, seconds=15):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def authority(folder):
    """A certificate authority of our own, and a server's and a client's certificate, made by openssl."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN=test {name}")  # fmt: skip
    for name, alternative in (("server", "IP:127.0.0.1,DNS:relay.example"), ("client", "DNS:node.example")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                "-out", f"{name}.csr", "-subj", f"/CN={name}")  # fmt: skip
        (folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-out", f"{name}.pem", "-extfile", f"{name}.ext")  # fmt: skip
