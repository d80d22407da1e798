"""Avro schemas as data: ours, bounded checks of foreign ones, canonical forms and fingerprints."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, NamedTuple

from sptools import errors, limits
from sptools.schemas import built_in as built_in

PRIMITIVE = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}  # least bytes
OBJECT = {"null": 0, "boolean": 0, "int": 32, "long": 32, "float": 24, "double": 24, "bytes": 40, "string": 60}  # CPython
CRC64_EMPTY = 0xC15D213AA4D7A795  # of no bytes, and the polynomial


class Extent(NamedTuple):
    """Of one type: the least bytes a datum takes, about what it weighs as Python objects, the types in it, and the
    heaviest item of a list or map in it: object bytes per encoded byte."""

    least: int
    weight: int
    nodes: int
    swell: float


def parse(text: bytes) -> Any:
    """Schema JSON of a container → checked schema. Raises BadData."""
    if len(text) > limits.HEADER:
        raise errors.BadData(f"the schema has {len(text):,} bytes, more than {limits.HEADER:,}")
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise errors.BadData(f"the schema is not JSON: {str(e)[:100]}") from e
    validate(schema)
    return schema


def validate(schema: Any) -> Extent:
    """Bounds a schema: depth, size, no recursion, no list of nothing. Returns the extent of a row. Raises BadData."""
    _bounded_json(schema)
    return _walk(schema, "", {}, 1)


def full_name(schema: Any) -> str:
    """`namespace.name` of a record, or ""."""
    if not isinstance(schema, dict):
        return ""
    name, space = schema.get("name", ""), schema.get("namespace", "")
    if not isinstance(name, str) or not isinstance(space, str):
        return ""
    return name if "." in name or not space else f"{space}.{name}"


@cache
def _own(name: str) -> Any:
    return essence(built_in(name))


def which_built_in(schema: Any) -> tuple[str, bool]:
    """(`IQ`, True) for our record as it is now, (`IQ`, False) for an older or newer writer's, ("", False) for others."""
    space, _, name = full_name(schema).rpartition(".")
    if space != "sptools" or name not in ("IQ", "Audio", "Spectrum", "Message"):
        return "", False
    return name, essence(schema) == _own(name)


def essence(schema: Any, space: str = "") -> Any:
    """What matters to the encoding: names, types, sizes, symbols; documentation, units, logical types and defaults go."""
    if isinstance(schema, list):
        return [essence(branch, space) for branch in schema]
    if not isinstance(schema, dict):
        return schema if schema in PRIMITIVE else _qualified(schema, space)
    kind = schema["type"]
    if kind in ("record", "error", "enum", "fixed"):
        name, space = _names(schema, space)
        if kind == "enum":
            return {"type": kind, "name": name, "symbols": list(schema["symbols"])}
        if kind == "fixed":
            return {"type": kind, "name": name, "size": schema["size"]}
        fields = [{"name": f["name"], "type": essence(f["type"], space)} for f in schema["fields"]]
        return {"type": "record", "name": name, "fields": fields}
    if kind == "array":
        return {"type": kind, "items": essence(schema["items"], space)}
    if kind == "map":
        return {"type": kind, "values": essence(schema["values"], space)}
    return essence(kind, space)


def plain(schema: Any) -> Any:
    """Without logical types: times stay the integers that they are, and no value can fail to convert."""
    if isinstance(schema, list):
        return [plain(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    out = {k: v for k, v in schema.items() if k not in ("logicalType", "fields", "items", "values", "type")}
    out["type"] = plain(schema["type"]) if isinstance(schema["type"], (dict, list)) else schema["type"]
    if "fields" in schema:
        out["fields"] = [
            {**{k: v for k, v in f.items() if k != "logicalType"}, "type": plain(f["type"])} for f in schema["fields"]
        ]
    for key in ("items", "values"):
        if key in schema:
            out[key] = plain(schema[key])
    return out


def dumps(schema: Any) -> bytes:
    """As a container's header carries it."""
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False).encode()


def schema_id(schema: Any) -> bytes:
    """8 bytes that name a schema with its attributes: SHA-256 over the JSON with sorted keys and no spaces."""
    import hashlib

    text = json.dumps(schema, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()[:8]


def canonical(schema: Any) -> str:
    """Avro's parsing canonical form: what matters to a reader, in one spelling. Source: Avro 1.11, schema fingerprints."""
    return json.dumps(_ordered(essence(schema)), separators=(",", ":"), ensure_ascii=False)


def _ordered(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_ordered(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    order = ("name", "type", "fields", "symbols", "items", "values", "size")
    return {key: _ordered(schema[key]) if key != "symbols" else schema[key] for key in order if key in schema}


def crc64(text: bytes) -> bytes:
    """CRC-64-AVRO, the 8 little-endian bytes that stand in a single-object encoding. Source: Avro 1.11, schema fingerprints."""
    crc = CRC64_EMPTY
    for byte in text:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CRC64_EMPTY if crc & 1 else 0)
    return crc.to_bytes(8, "little")


def _bounded_json(schema: Any) -> None:
    """Attributes that we only carry along must not be a mile deep either: writing them again would recurse."""
    level, depth = [schema], 0
    while level:
        depth += 1
        # a type takes up to four levels of JSON: the record, its fields, the field, a union
        if depth > 4 * limits.DEPTH + 4:
            raise errors.BadData(f"the schema's JSON is nested more than {4 * limits.DEPTH + 4} deep")
        below: list = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
            elif isinstance(value, list):
                below += value
        level = below


def _walk(schema: Any, space: str, known: dict[str, Extent | None], depth: int) -> Extent:
    if depth > limits.DEPTH:
        raise errors.BadData(f"the schema is nested more than {limits.DEPTH} deep")
    if isinstance(schema, str):
        if schema in PRIMITIVE:
            return Extent(PRIMITIVE[schema], OBJECT[schema], 1, 0)
        name = _qualified(schema, space)
        if name not in known:
            raise errors.BadData(f"the schema names a type {schema[:60]!r} that it does not define")
        extent = known[name]
        if extent is None:
            raise errors.BadData(f"the schema's type {schema[:60]!r} contains itself; such data is not read")
        return extent
    if isinstance(schema, list):
        return _union(schema, space, known, depth)
    if not isinstance(schema, dict) or "type" not in schema:
        raise errors.BadData(f"the schema holds {str(schema)[:60]!r} where a type belongs")
    kind = schema["type"]
    if isinstance(kind, (dict, list)):
        return _walk(kind, space, known, depth + 1)
    if kind in ("record", "error", "enum", "fixed"):
        name, space = _names(schema, space)
        if name in known or name in PRIMITIVE:
            raise errors.BadData(f"the schema defines {name[:60]!r} twice")
        known[name] = None
        extent = known[name] = _named(kind, schema, space, known, depth)
        return extent
    if kind in ("array", "map"):
        return _many(kind, schema, space, known, depth)
    return _walk(kind, space, known, depth + 1)


def _named(kind: str, schema: dict, space: str, known: dict, depth: int) -> Extent:
    if kind == "enum":
        symbols = schema.get("symbols")
        if not isinstance(symbols, list) or not symbols or not all(isinstance(s, str) for s in symbols):
            raise errors.BadData("the schema has an enum without symbols")
        return Extent(1, 0, 1, 0)
    if kind == "fixed":
        size = schema.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= limits.BLOCK:
            raise errors.BadData(f"the schema has a fixed type of size {str(size)[:40]}")
        return Extent(size, 40 + size, 1, 0)
    fields = schema.get("fields")
    if not isinstance(fields, list):
        raise errors.BadData(f"the schema's record {str(schema.get('name'))[:60]!r} has no fields")
    least, weight, nodes, swell, seen = 0, 100, 1, 0.0, set()
    for f in fields:
        if not isinstance(f, dict) or not isinstance(f.get("name"), str) or "type" not in f:
            raise errors.BadData(f"the schema has a field without name or type: {str(f)[:60]!r}")
        if f["name"] in seen:
            raise errors.BadData(f"the schema has two fields {f['name'][:60]!r} in one record")
        seen.add(f["name"])
        inner = _walk(f["type"], space, known, depth + 1)
        least, weight, nodes = least + inner.least, weight + 24 + inner.weight, nodes + inner.nodes
        swell = max(swell, inner.swell)
        if nodes > limits.SCHEMA_NODES:
            raise errors.BadData(f"a row of this schema has more than {limits.SCHEMA_NODES:,} values")
    return Extent(least, weight, nodes, swell)


def _many(kind: str, schema: dict, space: str, known: dict, depth: int) -> Extent:
    key = "items" if kind == "array" else "values"
    if key not in schema:
        raise errors.BadData(f"the schema has a type {kind!r} without {key!r}")
    inner = _walk(schema[key], space, known, depth + 1)
    least = inner.least + (kind == "map")  # a map's item has a key, of a byte at least
    if least == 0:
        raise errors.BadData("the schema has a list whose items take no bytes; such data is not read")
    weight = inner.weight + (8 if kind == "array" else 160)
    return Extent(1, 64, inner.nodes + 1, max(inner.swell, weight / least))


def _union(branches: list, space: str, known: dict, depth: int) -> Extent:
    if not branches or any(isinstance(b, list) for b in branches):
        raise errors.BadData("the schema has an empty or a nested union")
    inner = [_walk(b, space, known, depth + 1) for b in branches]
    nodes = 1 + sum(e.nodes for e in inner)
    if nodes > limits.SCHEMA_NODES:
        raise errors.BadData(f"a row of this schema has more than {limits.SCHEMA_NODES:,} values")
    return Extent(1 + min(e.least for e in inner), max(e.weight for e in inner), nodes, max(e.swell for e in inner))


def _names(schema: dict, space: str) -> tuple[str, str]:
    """Full name of a named type and the namespace that it sets for what is inside."""
    name, own = schema.get("name"), schema.get("namespace", space)
    if not isinstance(name, str) or not name or not isinstance(own, str):
        raise errors.BadData("the schema has a type without a name")
    if "." in name:
        return name, name.rpartition(".")[0]
    return (f"{own}.{name}" if own else name), own


def _qualified(name: Any, space: str) -> str:
    if not isinstance(name, str):
        raise errors.BadData(f"the schema holds {str(name)[:60]!r} where a type's name belongs")
    return f"{space}.{name}" if space and "." not in name else name
