"""The table rows of a log, made by the stages ingest and rows without a model."""

import pyarrow as pa
import pyarrow.parquet as pq

from advin.discovery.config import MaskingConfig, TextConfig
from advin.pipelines import storage
from advin.pipelines.counters import IngestCounters, RowsCounters
from advin.pipelines.ingest import Ingest
from advin.pipelines.reading.columns import Columns
from advin.pipelines.reading.inputs import find_input
from advin.pipelines.reading.row_columns import RowColumns, extra_columns
from advin.pipelines.row_files import RowTarget
from advin.pipelines.rows import Rows
from advin.pipelines.stages import Part
from advin.schemas import stage_files, tables
from advin.schemas.manifest import StageManifest
from advin.schemas.verdicts import kind_of


def make_rows(
    run_pipeline, source, folder, names=RowColumns(), columns=Columns(), load=True, **ingest
):
    """Return the table rows if it is to be loaded, and the counters of both stages.

    The intent of an utterance is the first digit of its id; those with an f have none.
    """
    files = find_input(str(source), columns, "--input")
    columns, extra = extra_columns(names, files, columns)
    stage, masking = folder / "ingest", MaskingConfig()
    parts = [str(stage / name) for name in ("data", "rejects")]
    target = RowTarget(str(stage / "rows"), extra, masking)
    transform = Ingest(files, columns, stage_files.INGEST, *parts, TextConfig(), masking,
                       rows=target, **ingest)  # fmt: skip
    read = IngestCounters.of_result(run_pipeline(lambda p: p | transform))
    pieces = sorted(path.name for path in (stage / "rows").iterdir())
    finish(stage, "rows", pieces)
    data = [pq.read_table(path) for path in sorted((stage / "data").glob("*.parquet"))]
    if "others" in ingest:
        data += [pq.read_table(path) for path in sorted((stage / "others").glob("*.parquet"))]
    assignments = write_assignments(folder / "assemble", pa.concat_tables(data))
    out = str(folder / "table")
    result = run_pipeline(lambda p: p | Rows(Part(str(stage), "rows"), assignments, masking, out))
    found = [pq.read_table(path) for path in sorted((folder / "table").iterdir()) if load]
    return pa.concat_tables(found) if load else None, read, RowsCounters.of_result(result)


def intent_of(utterance: str) -> str | None:
    return None if utterance.startswith("f") else f"n-{utterance[0]}"


def write_assignments(stage, utterances: pa.Table) -> Part:
    """Write a table assignments in one shard."""
    ids = utterances["utterance_id"].to_pylist()
    intents = [intent_of(i) for i in ids]
    reasons = ["in_novel_intent" if i else "too_far" for i in intents]
    columns = {name: utterances[name] for name in ("utterance_id", "text", "count")}
    columns |= {"reason": reasons, "kind": [kind_of(r) for r in reasons], "intent_id": intents}
    columns |= {"domain_id": [i and "n-domain" for i in intents]}
    columns = {name: columns[name] for name in tables.ASSIGNMENTS.names if name in columns}
    schema = pa.schema([tables.ASSIGNMENTS.field(name) for name in columns])
    table = pa.table(columns, schema=schema).sort_by("utterance_id")
    name = storage.shard_name(0, 1)
    storage.write_parquet(str(stage / "data" / name), table)
    finish(stage, "data", [name])
    return Part(str(stage))


def finish(stage, part: str, names: list[str]) -> None:
    (stage / "manifest.json").write_text(StageManifest(stage.name, "", {part: names}).to_json())
