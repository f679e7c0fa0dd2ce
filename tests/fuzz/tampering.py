"""Tampered folders: seeded changes of the files of a model or a run.

json_changes     a JSON file with a value, a key or the syntax changed
byte_changes     any file with bytes flipped, cut off, added or replaced
array_changes    a safetensors file with arrays swapped, reshaped, renamed or filled with NaN
parquet_changes  a Parquet file with columns, types, rows or nulls changed
file_changes     a file that is missing, a folder, a link or a pipe

Each is a mapping from the name of a change to a function of (path, random).
"""

import json
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import numpy as tensors

Change = Callable[[Path, random.Random], None]

# Values of every type, and some that break what does not expect them.
ODD_VALUES: list[Any] = [
    *(None, True, 0, -1, 1.5, 1e308, 2**31, 2**63, 10**400, float("nan"), float("inf")),
    *("", "x", "\x1b[31mred\x1b[0m", "\u202eright to left", "a\nb", "x" * 1_000_000, "../../etc"),
    *([], {}, [None], [[]], {"": None}, {"a": {"b": {"c": 1}}}),
]


def _values(tree: Any) -> list[tuple[Any, Any]]:
    """Return (container, key) of each value in a JSON tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found = []
    for key, value in list(items):
        found.append((tree, key))
        if isinstance(value, dict | list):
            found += _values(value)
    return found


def _edit_json(change: Callable[[Any, Any, random.Random], None]) -> Change:
    def apply(path: Path, chance: random.Random) -> None:
        tree = json.loads(path.read_text())
        change(*chance.choice(_values(tree)), chance)
        path.write_text(json.dumps(tree))

    return apply


def _replace(tree: Any, key: Any, chance: random.Random) -> None:
    tree[key] = chance.choice([v for v in ODD_VALUES if v != tree[key]])


def _delete(tree: Any, key: Any, chance: random.Random) -> None:
    del tree[key]


def _rename(tree: Any, key: Any, chance: random.Random) -> None:
    if isinstance(tree, dict):
        tree[chance.choice(["", "unknown", "\x1b]0;title\x07"])] = tree.pop(key)
    else:
        tree.append("unknown")


def _write(*data: bytes) -> Change:
    return lambda path, chance: path.write_bytes(chance.choice(data)) and None


json_changes: Mapping[str, Change] = {
    "value": _edit_json(_replace),
    "deleted": _edit_json(_delete),
    "renamed": _edit_json(_rename),
    "no JSON": _write(b"", b"null", b"[]", b"{}", b'"x"', b"pickle?", b"\xef\xbb\xbf{}"),
    "nested": _write(b"[" * 9999, b'{"a":' * 9999),
    "UTF-16": lambda path, chance: path.write_bytes(path.read_text().encode("utf-16")) and None,
}


def _flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 1, 8])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def _flip_ends(path: Path, chance: random.Random) -> None:
    """Flip a bit near the beginning or the end, where formats keep what they hold."""
    data = bytearray(path.read_bytes())
    at = chance.randrange(min(400, len(data)))
    data[chance.choice([at, -1 - at])] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def _truncate(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def _append(path: Path, chance: random.Random) -> None:
    with path.open("ab") as file:
        file.write(chance.choice([b"\0", b"garbage" * 100]))


byte_changes: Mapping[str, Change] = {
    "flipped": _flip,
    "flipped at an end": _flip_ends,
    "truncated": _truncate,
    "appended": _append,
    "other format": _write(b"", b"PAR1", b"\x1f\x8b\x08\0", b"PK\x03\x04", b"\0" * 4096),
}

Arrays = dict[str, np.ndarray]


def _edit_arrays(change: Callable[[Arrays, str, random.Random], None]) -> Change:
    def apply(path: Path, chance: random.Random) -> None:
        arrays = {name: array.copy() for name, array in tensors.load_file(path).items()}
        change(arrays, chance.choice(sorted(arrays)), chance)
        tensors.save_file(arrays, path)

    return apply


def _swap(arrays: Arrays, name: str, chance: random.Random) -> None:
    other = chance.choice(sorted(arrays.keys() - {name}))
    arrays[name], arrays[other] = arrays[other], arrays[name]


def _reshape(arrays: Arrays, name: str, chance: random.Random) -> None:
    array = arrays[name]
    twice = np.concatenate([array, array])
    shapes = [array[None], array.ravel(), array[:-1], array[..., :0], twice]
    arrays[name] = np.ascontiguousarray(chance.choice(shapes))


def _retype(arrays: Arrays, name: str, chance: random.Random) -> None:
    kinds = [np.float16, np.float32, np.float64, np.int8, np.int64, np.uint8, np.bool_]
    arrays[name] = arrays[name].astype(chance.choice(kinds))


def _fill(arrays: Arrays, name: str, chance: random.Random) -> None:
    array = arrays[name]
    if array.size:
        odd = [np.nan, np.inf, -np.inf] if array.dtype.kind == "f" else [-(2**40), 2**40, -9]
        array.reshape(-1)[chance.randrange(array.size)] = chance.choice(odd)


def _drop(arrays: Arrays, name: str, chance: random.Random) -> None:
    del arrays[name]


def _add(arrays: Arrays, name: str, chance: random.Random) -> None:
    arrays[chance.choice(["unknown", "head.\x1b[2J", name + "."])] = arrays[name].copy()


array_changes: Mapping[str, Change] = {
    "swapped": _edit_arrays(_swap),
    "shape": _edit_arrays(_reshape),
    "type": _edit_arrays(_retype),
    "odd number": _edit_arrays(_fill),
    "array missing": _edit_arrays(_drop),
    "array added": _edit_arrays(_add),
}


def _edit_table(change: Callable[[pa.Table, str, random.Random], pa.Table]) -> Change:
    def apply(path: Path, chance: random.Random) -> None:
        table = pq.read_table(path)
        pq.write_table(change(table, chance.choice(table.schema.names), chance), path)

    return apply


def _without_column(table: pa.Table, name: str, chance: random.Random) -> pa.Table:
    return table.drop_columns([name])


def _renamed_column(table: pa.Table, name: str, chance: random.Random) -> pa.Table:
    return table.rename_columns([n + "?" if n == name else n for n in table.schema.names])


def _null_column(table: pa.Table, name: str, chance: random.Random) -> pa.Table:
    kind = table.schema.field(name).type
    at = table.schema.get_field_index(name)
    return table.set_column(at, name, pa.nulls(len(table), kind))


def _typed_column(table: pa.Table, name: str, chance: random.Random) -> pa.Table:
    kind = chance.choice([pa.int8(), pa.string(), pa.binary(), pa.list_(pa.int64())])
    at = table.schema.get_field_index(name)
    return table.set_column(at, name, pa.nulls(len(table), kind))


def _no_rows(table: pa.Table, name: str, chance: random.Random) -> pa.Table:
    return table.slice(0, 0)


parquet_changes: Mapping[str, Change] = {
    "column missing": _edit_table(_without_column),
    "column renamed": _edit_table(_renamed_column),
    "column of nulls": _edit_table(_null_column),
    "column of another type": _edit_table(_typed_column),
    "no rows": _edit_table(_no_rows),
}


def _missing(path: Path, chance: random.Random) -> None:
    path.unlink()


def _folder(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.symlink_to(path)


def _device(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.symlink_to(chance.choice(["/dev/zero", "/dev/null", "/nowhere"]))


def _pipe(path: Path, chance: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


file_changes: Mapping[str, Change] = {
    "missing": _missing,
    "a folder": _folder,
    "a link to itself": _loop,
    "a link to a device": _device,
    "a pipe": _pipe,
}
