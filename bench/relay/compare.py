"""sp-relay and the straightforward relay in C, by turns, in a network namespace of their own: CPU µs a datagram, as JSON.

compare.py FOLDER CACHE BYTES RATE SECONDS TRAIN ROUNDS [--plain-sinks]: FOLDER holds the built programs. Our datagrams are
frames, longer than the bare ones by their head; both relays store and send to two groups, every 5th row to the second.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from sptools.formats.avro import announce, frame, schema
from sptools.record import Start

PORT, OUT, FULL, FIFTH = 26000, 6000, "239.1.1.1", "239.1.1.2"
EVERY = 5
BOOT = bytes(range(8))


def prepare(folder: Path, size: int) -> tuple[list[str], int]:
    """(files and place for the load generator, bytes of a datagram)."""
    fields = [{"name": "data", "type": {"type": "fixed", "name": "Data", "size": size}}]
    start = Start({"type": "record", "name": "Row", "fields": fields}, "rig", BOOT, source={"channel": "rig"})
    head = frame.head(frame.begin("rig"), BOOT, 0, schema.schema_id(start.schema), 1, size)
    (folder / "head").write_bytes(head)
    (folder / "announcement").write_bytes(announce.encode(start, 0))
    at = len(frame.begin("rig")) + 8
    return [str(folder / "head"), str(at), str(folder / "announcement")], size + len(head)


def cpu_ns(pid: int) -> int:
    """Of all threads of a process."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def queued() -> int:
    """Bytes that wait in the relay's socket."""
    place = f"{socket.htonl(0x7F000001):08X}:{PORT:04X}"
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[4].partition(":")[2], 16) for row in rows if row[1] == place)


def measure(relay: list[str], load: list[str], sinks: list[list[str]], env: dict[str, str]) -> dict:
    readers = [subprocess.Popen(sink, stdout=subprocess.PIPE, text=True) for sink in sinks]
    process = subprocess.Popen(relay, stdout=subprocess.PIPE, text=True, env={**os.environ, **env})
    deadline = time.monotonic() + 10
    while f":{PORT:04X}" not in Path("/proc/net/udp").read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    before = cpu_ns(process.pid)
    sent = subprocess.run(load, capture_output=True, text=True, check=True).stdout.split()
    while queued() and time.monotonic() < deadline + 60:
        time.sleep(0.01)
    time.sleep(0.3)
    used = cpu_ns(process.pid) - before
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=20)[0]
    got = []
    for reader in readers:
        reader.send_signal(signal.SIGTERM)
        got.append([int(word) for word in reader.communicate(timeout=5)[0].split()])
    return {"cpu_ns": used, "sent": int(sent[0]), "took_s": float(sent[1]), "said": said, "sinks": got,
            "status": process.returncode}  # fmt: skip


def main() -> None:
    folder, cache, rest = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    size, rate, seconds, train, rounds = int(rest[0]), float(rest[1]), float(rest[2]), int(rest[3]), int(rest[4])
    gro = "0" if "--plain-sinks" in rest else "1"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", "224.0.0.0/4", "dev", "lo"], check=False)
    count = int(rate * seconds)
    sinks = [[str(folder / "sink"), group, str(OUT), gro] for group in (FULL, FIFTH)]
    files, longer = prepare(folder, size)
    load = [str(folder / "load"), "127.0.0.1", str(PORT)]
    tail = [f"{rate:g}", str(count), str(train)]
    results: dict[str, list] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir()
        own = [
            str(Path(sys.executable).parent / "sp-relay"), f"udp://127.0.0.1:{PORT}", f"{cache}/",
            "--stats", str(folder / "stats"), "--publish", f"udp://{FULL}:{OUT},iface=lo",
            "--decimated", f"udp://{FIFTH}:{OUT},iface=lo", "--every", str(EVERY), "--how", "pick", "-q",
        ]  # fmt: skip
        done = measure(own, [*load, str(longer), *tail, *files], sinks, {})
        done["stats"] = json.loads((folder / "stats").read_text())
        results["ours"].append(done)
        shutil.rmtree(cache)
        cache.mkdir()
        peer = [str(folder / "straight"), str(PORT), str(cache / "data"), FULL, FIFTH, str(OUT), str(EVERY)]
        results["theirs"].append(measure(peer, [*load, str(size), *tail], sinks, {}))
    shutil.rmtree(cache)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
