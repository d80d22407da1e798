"""The endpoint grammar: what a text names, and that printing is the inverse of parsing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sptools import url
from sptools.describe import Description, Setting
from sptools.errors import BadConfig, Usage
from sptools.units import RATE
from sptools.url import Endpoint

FORMATS = ("avro", "cu8", "jsonl", "wav", "sigmf")
DRIVERS = ("sim", "rtlsdr", "rtltcp", "file")


def parse(text, **how):
    return url.parse(text, formats=FORMATS, **how)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("-", Endpoint(place="-")),
        ("x.wav", Endpoint(place="x.wav")),
        ("wav:-", Endpoint("wav", None, "-")),
        ("cu8:-,rate=2.4M,freq=99.7M", Endpoint("cu8", None, "-", {"rate": "2.4M", "freq": "99.7M"})),
        ("rows.jsonl,schema=temp.avsc", Endpoint(place="rows.jsonl", keys={"schema": "temp.avsc"})),
        ("udp://239.1.1.1:6000,iface=eth0", Endpoint(None, "udp", "//239.1.1.1:6000", {"iface": "eth0"})),
        ("udp://0.0.0.0:2600,from=10.0.0.0/8", Endpoint(None, "udp", "//0.0.0.0:2600", {"from": "10.0.0.0/8"})),
        ("jsonl:udp://127.0.0.1:9870", Endpoint("jsonl", "udp", "//127.0.0.1:9870")),
        ("unix:/run/sptools/kqed", Endpoint(None, "unix", "/run/sptools/kqed")),
        ("tcp://:7000", Endpoint(None, "tcp", "//:7000")),
        ("nats://hub/sptools/site-01/iq", Endpoint(None, "nats", "//hub/sptools/site-01/iq")),
        ("sds:/site/a/", Endpoint(None, "sds", "/site/a/")),
        ("cache/", Endpoint(place="cache/")),
        ("foo:bar", Endpoint(place="foo:bar")),
        ("./wav:x", Endpoint(place="./wav:x")),
        ("a,b.cu8,Rate=1,rate=2", Endpoint(place="a,b.cu8,Rate=1", keys={"rate": "2"})),
        ("x://y", Endpoint(None, "x", "//y")),
    ],
)  # fmt: skip
def test_parse(text, expected):
    assert parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text, driver, address, keys",
    [
        ("sim:fm,pace=0", "sim", "fm", {"pace": "0"}),
        ("rtlsdr:0", "rtlsdr", "0", {}),
        ("rtlsdr:serial=00000101", "rtlsdr", "", {"serial": "00000101"}),
        ("rtltcp://host:1234", "rtltcp", "//host:1234", {}),
        ("file.cu8,rate=2M", None, "file.cu8", {"rate": "2M"}),
        ("x.sigmf-meta", None, "x.sigmf-meta", {}),
        ("cu8:-,rate=2M", None, "cu8:-", {"rate": "2M"}),
        ("./sim:fm", None, "./sim:fm", {}),
    ],
)
def test_receivers(text, driver, address, keys):
    found = parse(text, drivers=DRIVERS)
    assert (found.driver, found.address, found.keys) == (driver, address, keys)
    assert str(found) == text


@given(st.text(), st.booleans())
def test_what_parses_prints_and_parses_again(text, drivers):
    try:
        found = parse(text, drivers=DRIVERS if drivers else False)
    except (Usage, BadConfig):
        return
    assert parse(str(found), drivers=DRIVERS if drivers else False) == found


@given(
    st.sampled_from([None, *FORMATS]),
    st.sampled_from(["udp", "tcp", "unix"]),
    st.text("abc/.:,-09", min_size=1),
    st.dictionaries(st.text("abc_", min_size=1), st.text("abc=:/09")),
)
def test_parts_survive(form, scheme, place, keys):
    expected = Endpoint(form, scheme, place, keys)
    found = parse(str(expected))
    assert (found.format, found.scheme, found.keys) == (form, scheme, keys)


@pytest.mark.parametrize("text", ["tcp://u:secret@host:1", "nats://me:hush@hub/a,creds=x", "tcp://h,password=hush"])
def test_a_password_is_refused_and_not_repeated(text):
    with pytest.raises(BadConfig) as error:
        parse(text)
    assert "secret" not in str(error.value) and "hush" not in str(error.value)
    assert parse("nats://me@hub/a").place == "//me@hub/a"


@pytest.mark.parametrize("text", ["", "wav:", ",rate=1", "x,a=1,a=2", "a\0b"])
def test_nonsense_is_a_usage_error(text):
    with pytest.raises(Usage):
        parse(text)


def test_keys_are_parsed_by_who_takes_them():
    description = Description("cu8")
    description.settings = [Setting("rate", RATE)]
    assert url.keys_for(parse("cu8:-,rate=2.4M"), description) == {"rate": 2.4e6}
    with pytest.raises(Usage, match=r"no key 'rat'.*rate"):
        url.keys_for(parse("cu8:-,rat=1"), description)
    with pytest.raises(Usage, match="mega"):
        url.keys_for(parse("cu8:-,rate=2m"), description)


def test_the_suffix_names_the_format():
    assert [url.parse(t).kind for t in ("x.wav", "x.sigmf-data", "x.ndjson", "x", "-", "jsonl:x.wav")] == [
        "wav", "sigmf", "jsonl", "avro", "avro", "jsonl",
    ]  # fmt: skip
