"""Fills a cache with the writer that sp-relay uses: python cachefill.py CACHE [KEY=VALUE]... < containers

As a process of its own, so that it can be killed and its system calls made to fail. Keys: those of the writer, `die=1` (leave
the last segment open and die), `pause=SECONDS` before it closes.
"""

import os
import signal
import sys
import time

from sptools.cache.recover import recover
from sptools.cache.segment import Channel
from sptools.formats.avro import read
from sptools.record import Start
from sptools.transports.file import Input


def fill(cache, items, **settings):
    """Writes a stream of items, each channel on its own. Returns the writers, still open."""
    writers = {}
    for item in items:
        if isinstance(item, Start):
            if item.channel not in writers:
                writers[item.channel] = Channel(cache, item, **settings)
            else:
                writers[item.channel].begin(item)
            now = writers[item.channel]
        else:
            now.put(item)
            now.tick()
    return writers


def main():
    settings = dict(word.split("=") for word in sys.argv[2:])
    die, pause = settings.pop("die", None), float(settings.pop("pause", 0))
    settings = {key: value if key == "codec" else float(value) for key, value in settings.items()}
    recover(sys.argv[1])
    writers = fill(sys.argv[1], read(Input("-")), **settings)
    print("filled", flush=True)
    time.sleep(pause)
    if die:
        os.kill(os.getpid(), signal.SIGKILL)
    for writer in writers.values():
        writer.close()


if __name__ == "__main__":
    main()
