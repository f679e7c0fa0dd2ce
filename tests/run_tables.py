"""The tables of a run whose bytes depend neither on the engine nor on the order of the rows."""

import pyarrow as pa
import pyarrow.parquet as pq

from advin.schemas import tables

# The table rejects is left out: it holds file names and positions.
SAME = ("assignments", "intents", "domains", "dropped", "levels")


def read_tables(output) -> dict[str, list[bytes]]:
    """Return the bytes of each table's files, sorted by file name."""
    return {name: [p.read_bytes() for p in sorted((output / name).iterdir())] for name in SAME}


def as_columns(found) -> dict[str, list]:
    """All columns of the tables, as Python values in the types of the schemas."""
    columns = {}
    for table in SAME[1:]:
        schema = tables.TABLES[table]
        for field in schema:
            values = [getattr(row, field.name) for row in getattr(found, table)]
            columns[table, field.name] = pa.array(values, field.type).to_pylist()
    for field in tables.ASSIGNMENTS:
        values = pa.array(getattr(found.assignments, field.name), field.type)
        columns["assignments", field.name] = values.to_pylist()
    return columns


def published_columns(run) -> dict[str, list]:
    """The same columns as a run published them."""
    return {
        (name, column): values
        for name in SAME
        for column, values in pq.read_table(run / name).to_pydict().items()
    }
