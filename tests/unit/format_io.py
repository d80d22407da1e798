"""What the tests of formats share: a stream through a real file or pipe and back."""

import os
import threading

import numpy as np

from sptools.clock import span
from sptools.record import IQ, Audio, Start, component, is_complex
from sptools.schemas import built_in
from sptools.transports.file import Input, Output

EPOCH = 1_780_000_000_123_456_789


def samples(n, datatype, channels=1, seed=1):
    """Random components of a datatype, shape (n · channels · 1 or 2,)."""
    rng = np.random.default_rng(seed)
    dtype = component(datatype)
    n *= channels * (2 if is_complex(datatype) else 1)
    if dtype.kind == "f":
        return rng.uniform(-1, 1, n).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, n, dtype, endpoint=True)


def blocks(counts, datatype="cu8", rate=2.4e6, freq=99.7e6, skip=None, channels=1, boot=b"12345678", **more):
    """A Start and blocks of `counts` samples; before block k, `skip[k]` samples are missing."""
    record = IQ if is_complex(datatype) else Audio
    items = [Start(built_in(record.__name__), "site/x", boot, source={"device": "test", "channel": "site/x"})]
    sample = 0
    for k, n in enumerate(counts):
        sample += (skip or {}).get(k, 0)
        data = samples(n, datatype, channels, seed=k)
        at = EPOCH + span(sample, rate)
        items.append(record(at, sample, rate, freq, datatype=datatype, data=data, channels=channels, **more))
        sample += n
    return items


def put(module, path, items, **keys):
    """Writes items to a file; the closed sink."""
    sink = module.write(Output(str(path)), **keys)
    try:
        for item in items:
            sink.put(item)
        sink.flush()
    except BaseException:
        sink.close(False)
        raise
    sink.close(True)
    return sink


def get(module, path, **keys):
    """(items, the error that came after them or None)."""
    source = Input(str(path))
    found, problem = [], None
    try:
        for item in module.read(source, **keys):
            found.append(item)
    except Exception as error:
        problem = error
    source.close()
    return found, problem


def piped(tmp_path, read=None, write=None):
    """Runs `write(Output)` or feeds the bytes `write`, through a FIFO, to `read(Input)`; without `read` gives the bytes."""
    path = str(tmp_path / f"fifo{os.urandom(4).hex()}")
    os.mkfifo(path)

    def feed():
        if callable(write):
            write(Output(path))
        else:
            with open(path, "wb", buffering=0) as f:
                for at in range(0, len(write), 30001):
                    f.write(write[at : at + 30001])

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        if read is None:
            with open(path, "rb") as f:
                return f.read()
        return read(Input(path))
    finally:
        thread.join(10)


def joined(items):
    """The samples of all blocks as one array of components."""
    parts = [np.frombuffer(item.data, component(item.datatype)) for item in items if isinstance(item, IQ)]
    return np.concatenate(parts) if parts else np.empty(0)
