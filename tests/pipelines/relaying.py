"""What tests of sp-relay run inside a namespace: the relay, senders, readers, and what a cache holds."""

import atexit
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import fastavro

from sptools.formats.avro import announce, frame, schema
from sptools.record import Start

BIN = Path(sys.executable).parent
PORT, GROUP, OUT = 26000, "239.1.1.1", 6000
ROW = {"type": "record", "name": "Row", "fields": [{"name": "time", "type": "long"}, {"name": "n", "type": "int"},
                                                   {"name": "pad", "type": "string"}]}  # fmt: skip


class Sender:
    """Frames of one channel and boot, as sp-send makes them."""

    def __init__(self, channel="rig", boot=None, schema_=ROW, pad="x" * 20, to=("127.0.0.1", PORT)):
        self.boot = boot or os.urandom(8)
        self.start = Start(schema_, channel, self.boot, source={"channel": channel})
        self.begin, self.id = frame.begin(channel), schema.schema_id(schema_)
        self.schema, self.pad, self.seq = fastavro.parse_schema(schema_), pad, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(to)

    def announce(self):
        self.put(announce.encode(self.start, self.seq))

    def datagram(self, rows=1):
        body = io.BytesIO()
        for _ in range(rows):
            fastavro.schemaless_writer(
                body, self.schema, {"time": 1_777_000_000_000_000_000 + self.seq, "n": self.seq, "pad": self.pad}
            )
        body = body.getvalue()
        data = frame.head(self.begin, self.boot, self.seq, self.id, rows, len(body)) + body
        self.seq += 1
        return data

    def put(self, data):
        try:
            self.socket.send(data)
        except ConnectionRefusedError:
            self.socket.send(data)

    def send(self, n=1, rows=1):
        for _ in range(n):
            self.put(self.datagram(rows))


def listening():
    local = [line.split()[1] for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return any(place.endswith(f":{PORT:04X}") for place in local)


def relay(*flags, inputs=(f"udp://127.0.0.1:{PORT}",), cache="cache/", wait=True, **how):
    process = subprocess.Popen(
        [str(BIN / "sp-relay"), *inputs, cache, "--stats", "stats.json", *flags], stdin=subprocess.DEVNULL,
        **{"stderr": subprocess.PIPE, "text": True, **how},
    )  # fmt: skip
    atexit.register(process.kill)  # where a test fails
    deadline = time.monotonic() + 15
    while wait and not listening():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def end(process, status=0, within=5.0):
    """SIGTERM; its stderr."""
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=within + 5)[1]
    took = time.monotonic() - begin
    assert process.returncode == status, (process.returncode, said)
    assert took < within, took
    return said


def stats():
    return json.loads(Path("stats.json").read_text())


def segments(channel="rig", cache="cache", suffix=".avro"):
    folder = Path(cache, channel)
    return sorted(p for p in folder.iterdir() if p.name.endswith(suffix)) if folder.exists() else []


def rows(channel="rig", cache="cache"):
    """Of every closed segment, as fastavro reads them."""
    found = []
    for path in segments(channel, cache):
        with path.open("rb") as file:
            found += list(fastavro.reader(file))
    return found


class Reader:
    """Hears a multicast group on loopback."""

    def __init__(self, group=GROUP, port=OUT):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, 33 if os.geteuid() == 0 else socket.SO_RCVBUF, 64 << 20)
        self.socket.bind((group, port))
        self.socket.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        )

    def all(self, quiet=0.3):
        """Until nothing comes."""
        self.socket.settimeout(quiet)
        found = []
        try:
            while True:
                found.append(self.socket.recv(65536))
        except TimeoutError:
            return found
