"""The limits that are not tested where they are used: their relations, and the sizes of header and pieces."""

import json

from avro_memory import Source, Target, written

from sptools import limits, record
from sptools.formats import avro
from sptools.formats.avro import schema as schemas


def test_values_of_the_page():
    assert (limits.HEADER, limits.BLOCK, limits.EXPANDED) == (2 << 20, 16 << 20, 16 << 20)
    assert (limits.DEPTH, limits.EMPTY_ROWS, limits.JSON_BODY) == (32, 65_536, 64 << 10)


def test_ten_thousand_fields_fit_a_header():
    fields = [
        {"name": f"signal_{k}_temperature_C", "type": "double", "unit": "degC", "doc": "x" * 40} for k in range(10_000)
    ]
    schema = {"type": "record", "name": "wide", "fields": fields}
    assert 1.2e6 < len(json.dumps(schema)) < limits.HEADER
    data = written([record.Start(schema), record.Rows([{f["name"]: 0.5 for f in fields}])])
    items = list(avro.read(Source(data)))
    assert len(items[1].values[0]) == 10_000


def test_gathered_blocks_stay_near_64_KiB():
    target = Target()
    sink = avro.write(target)
    schema = {"type": "record", "name": "t", "fields": [{"name": "x", "type": "double"}]}
    sink.put(record.Start(schema))
    sink.put(record.Rows([{"x": 1.0}] * 50_000))
    sink.close()
    blocks = [e for e in avro.scan(Source(bytes(target.data))) if type(e).__name__ == "Block"]
    assert sum(b.count for b in blocks) == 50_000 and max(b.size for b in blocks) <= limits.GATHER


def test_fingerprints_know_units():
    a = {"type": "record", "name": "t", "fields": [{"name": "x", "type": "double", "unit": "V"}]}
    b = json.loads(json.dumps(a).replace('"V"', '"mV"'))
    assert schemas.schema_id(a) != schemas.schema_id(b) and len(schemas.schema_id(a)) == 8
    assert schemas.schema_id(dict(reversed(a.items()))) == schemas.schema_id(a)
    assert schemas.essence(a) == schemas.essence(b)
