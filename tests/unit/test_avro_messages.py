"""Messages encoded together: the bytes of the general encoder, and no memory for what a hostile one says."""

import io

import fastavro
import numpy as np

from sptools.formats.avro import encode, varint
from sptools.record import Message
from sptools.schemas import built_in


def encoded(messages):
    waiting = encode.Messages()
    for message in messages:
        waiting.add(message)
    return waiting.body()


def test_moments_are_varints():
    edges = [s * (1 << k) + d for k in range(63) for s in (-1, 1) for d in (-1, 0, 1)] + [2**63 - 1, -(2**63)]
    rng = np.random.default_rng(1)
    for values in (edges, rng.integers(-(2**63), 2**63 - 1, 1000).tolist(), []):
        assert encode.moments(values) == [varint.encode(v) for v in values]


def test_as_fastavro_encodes_them():
    kinds = {"a": True, "b": 1, "c": 1.0, "d": "1", "é": "Zürich", "n": -(2**40), "f": False, "z": 0, "x": 0.0}
    messages = [
        Message(1_700_000_000_000_000_000 + i, i**5, 1090e6, -i / 2, "mode-s", "8D" * i, "crc", dict(list(kinds.items())[:i]))
        for i in range(10)
    ]
    out = io.BytesIO()
    for m in messages:
        row = {name: getattr(m, name) for name in m.__slots__}
        fastavro.schemaless_writer(out, built_in("Message"), row, strict=True)
    assert encoded(messages) == out.getvalue()


def test_long_texts_are_not_kept():
    for i in range(3):
        encoded([Message(0, 0, 0.0, 0.0, "p" * 2000, "", "none", {"k" * 2000: "v" * 2000, "n": i})])
    assert not any(cached.cache_info().currsize for cached in (encode.known, encode.double, encode.entry))
