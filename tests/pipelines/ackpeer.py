"""A receiver that answers: `python ackpeer.py PORT FILE`.

Every row is written to FILE with (channel, boot, number of its block), synced, and then its block is acknowledged. A block
that an earlier connection, or an earlier process, has stored is not stored again. A gap is stored as a line of its own.
"""

import json
import os
import sys

from sptools.formats import avro
from sptools.record import Rows, Start
from sptools.transports import tcp


def stored(path):
    """Blocks that are in the file, without a line that was being written when this process was killed."""
    have, lines = {}, []
    if os.path.exists(path):
        with open(path) as file:
            lines = [line for line in file if line.endswith("\n")]
        with open(path, "w") as file:
            file.writelines(lines)
    for line in map(json.loads, lines):
        have[line["channel"], line["boot"]] = line["number"] + 1
    return have


def main(port, path):
    have = stored(path)
    listener = tcp.read(f"//127.0.0.1:{port}", listen=True)
    with open(path, "a") as file:
        print("ready", flush=True)
        while (caller := listener.accept()) is not None:
            source = caller.meet()
            try:
                take(source, file, have)
            except Exception as error:
                print(type(error).__name__, error, file=sys.stderr, flush=True)
            source.close()


def take(source, file, have):
    number, lost, key, boot = 0, 0, ("", ""), b""
    for item in avro.read(source):
        if isinstance(item, Start):
            number, lost, boot = item.first, item.lost, item.boot
            key = item.channel, boot.hex()
            source.ack(boot, number - 1)
            continue
        assert isinstance(item, Rows)
        if number >= have.get(key, 0):
            line = {"channel": key[0], "boot": key[1], "number": number, "lost": lost, "rows": [r["n"] for r in item.values]}
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
            have[key] = number + 1
        source.ack(boot, number)
        number, lost = number + 1, 0


main(sys.argv[1], sys.argv[2])
