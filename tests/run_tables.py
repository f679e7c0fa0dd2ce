"""The tables of a run whose bytes depend neither on the engine nor on the order of the rows."""

# The table rejects is left out: it holds file names and positions.
SAME = ("assignments", "intents", "domains")


def read_tables(output) -> dict[str, list[bytes]]:
    """Return the bytes of each table's files, sorted by file name."""
    return {name: [p.read_bytes() for p in sorted((output / name).iterdir())] for name in SAME}
