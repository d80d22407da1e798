"""Codecs: inverse of one another, capped while expanding, honest about damage."""

import random
import zlib

import pytest
import zstandard

from sptools import codecs, errors

DATA = [b"", b"x", bytes(100_000), random.Random(1).randbytes(70_000)]


@pytest.mark.parametrize("codec", codecs.NAMES)
@pytest.mark.parametrize("data", DATA, ids=len)
def test_inverse(codec, data):
    for kind in (bytes, bytearray, memoryview):
        assert bytes(codecs.expand(codec, memoryview(codecs.compress(codec, kind(data))))) == data


@pytest.mark.parametrize("codec", ("deflate", "zstandard"))
def test_the_cap_is_exact(codec):
    data = codecs.compress(codec, bytes(5000))
    assert len(codecs.expand(codec, data, 5000)) == 5000
    with pytest.raises(errors.BadData, match="4,999"):
        codecs.expand(codec, data, 4999)


def test_zstandard_frames_without_a_size_and_in_a_row():
    maker = zstandard.ZstdCompressor().compressobj()
    frame = maker.compress(bytes(5000)) + maker.flush()
    assert zstandard.frame_content_size(frame) == -1
    assert codecs.expand("zstandard", frame) == bytes(5000)
    assert codecs.expand("zstandard", frame + frame, 10_000) == bytes(10_000)
    sized = bytes(codecs.compress("zstandard", b"ab"))
    assert codecs.expand("zstandard", sized + sized) == b"abab"
    with pytest.raises(errors.BadData):
        codecs.expand("zstandard", frame + frame, 9999)


@pytest.mark.parametrize("codec", ("deflate", "zstandard"))
def test_cut_off(codec):
    data = bytes(codecs.compress(codec, DATA[3]))
    for n in range(0, len(data), 997):
        with pytest.raises(errors.BadData):
            codecs.expand(codec, data[:n])


def test_every_flip_in_zstandard_is_found():
    data = bytes(codecs.compress("zstandard", DATA[3]))
    rng = random.Random(2)
    for _ in range(300):
        hurt = bytearray(data)
        hurt[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            assert codecs.expand("zstandard", hurt) == DATA[3]  # a bit that says nothing
        except errors.BadData:
            pass


def test_deflate_is_raw():
    assert zlib.decompress(codecs.compress("deflate", b"abc"), -15) == b"abc"


def test_unknown():
    assert not codecs.known("snappy")
    with pytest.raises(errors.Usage, match="deflate"):
        codecs.compress("snappy", b"")
    with pytest.raises(errors.BadData, match="snappy"):
        codecs.expand("snappy", b"")
