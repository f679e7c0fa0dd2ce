"""The tables of a run that are the same, byte for byte, on any engine, in any order of rows."""

# Rejects tell file and position, which differ by nature.
SAME = ("assignments", "intents", "domains")


def read_tables(output) -> dict[str, list[bytes]]:
    """Return the bytes of each table's files, in the order of their names."""
    return {name: [p.read_bytes() for p in sorted((output / name).iterdir())] for name in SAME}
