"""The published tables open in the usual readers of Parquet, with equal values in all of them."""

from datetime import UTC, datetime

import duckdb
import fastparquet
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from advin.pipelines import storage
from advin.schemas.tables import TABLES

READERS = {
    "duckdb": lambda path: duckdb.sql(f"select * from '{path}'").fetchall(),
    "polars": lambda path: pl.read_parquet(path).rows(),
    "pandas": lambda path: pd.read_parquet(path).to_numpy().tolist(),
    "fastparquet": lambda path: fastparquet.ParquetFile(path).to_pandas().to_numpy().tolist(),
}


def example_of(kind: pa.DataType):
    """A value of a column's type."""
    if pa.types.is_list(kind):
        return [example_of(kind.value_type)] * 3
    if pa.types.is_floating(kind):
        return 0.25
    if pa.types.is_boolean(kind):
        return True
    if pa.types.is_timestamp(kind):
        return datetime(2026, 2, 10, 10, tzinfo=UTC)
    return 7 if pa.types.is_integer(kind) else "größe 🙂"


def plain(value):
    """A value without the types of its reader."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return value.item() if isinstance(value, np.generic) else value


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("reader", READERS)
def test_every_table_opens_in_every_reader(table, reader, tmp_path):
    schema = TABLES[table]
    row = {field.name: example_of(field.type) for field in schema}
    path = str(tmp_path / f"{table}.parquet")
    storage.write_parquet(path, pa.Table.from_pylist([row, row], schema))
    rows = [plain(list(values)) for values in READERS[reader](path)]
    assert rows == 2 * [list(row.values())]


def test_long_lists_open_in_fastparquet(tmp_path):
    """A dictionary of one megabyte would be too small for the centroids of many intents."""
    vectors = np.random.default_rng(0).normal(size=(2_000, 384)).astype(np.float32)
    schema = pa.schema([TABLES["intents"].field("centroid")])
    path = str(tmp_path / "intents.parquet")
    storage.write_parquet(path, pa.table({"centroid": list(vectors)}, schema))
    found = fastparquet.ParquetFile(path).to_pandas()["centroid"]
    np.testing.assert_array_equal(np.stack(found.tolist()), vectors)


@pytest.mark.parametrize("table", TABLES)
def test_no_table_holds_half_floats(table):
    """DuckDB cannot read the encoding of half floats."""
    for field in TABLES[table]:
        kind = field.type.value_type if pa.types.is_list(field.type) else field.type
        assert not pa.types.is_float16(kind), field.name
