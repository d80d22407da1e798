"""Fills a cache with the writer that sp-relay uses: python cachefill.py CACHE [KEY=VALUE]... < containers

As a process of its own, so that it can be killed and its system calls made to fail; what fails is said, and the next block
goes on. Keys: those of the writer, and `die=1`: leave the last segments open and die.
"""

import os
import signal
import sys

from sptools import errors
from sptools.cache.recover import recover
from sptools.cache.segment import Channel
from sptools.formats.avro import read
from sptools.record import Start
from sptools.transports.file import Input


def main():
    settings = dict(word.split("=") for word in sys.argv[2:])
    die = settings.pop("die", None)
    settings = {key: value if key == "codec" else float(value) for key, value in settings.items()}
    for done in recover(sys.argv[1]):
        print(done, flush=True)
    writers, now = {}, None
    for item in read(Input("-")):
        try:
            if isinstance(item, Start):
                now = writers.setdefault(item.channel, Channel(sys.argv[1], item, **settings))
            now.put(item)
            now.tick()
        except errors.IOFailure as error:
            print(error, flush=True)
    if die:
        os.kill(os.getpid(), signal.SIGKILL)
    for writer in writers.values():
        try:
            writer.close()
        except errors.IOFailure as error:
            print(error, flush=True)


if __name__ == "__main__":
    main()
