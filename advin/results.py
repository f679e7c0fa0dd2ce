"""A finished run, as users see it: its tables, and its intents applied to other texts."""

import html
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from advin.assignment import INTENT_COLUMNS, RunIntents, manifest_of
from advin.frames import to_path, to_texts
from advin.models import Model, as_table
from advin.pipelines.errors import SettingsError
from advin.schemas.manifest import RunManifest
from advin.schemas.verdicts import NOVEL
from advin.session import in_process, session

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

# Novel intents in the representation of a run.
_SHOWN = 10


def read_run(folder: str | os.PathLike[str]) -> "Run":
    """Return a finished run.

    Args:
        folder: the output folder of `advin.discover` or `advin discover`.

    Raises:
        SettingsError: if there is no finished run in it.
    """
    from advin.pipelines import storage

    path = storage.absolute(to_path(folder, "folder"))
    return Run(path, manifest_of(path))


class Run:
    """A finished run.

    Attributes:
        folder: folder of the run.
        manifest: settings, versions, counts and files of the run.
    """

    def __init__(self, folder: str, manifest: RunManifest, keep: object = None):
        """Refer to a folder; `keep` is an object that must live as long as the run."""
        self.folder = folder
        self.manifest = manifest
        self._keep = keep
        self._tables: dict[str, pa.Table] = {}

    def table(self, name: str) -> "pa.Table":
        """Return a table by its name, such as "assignments" or "conversations".

        Raises:
            SettingsError: if there is no such table.
        """
        from advin.pipelines.report import read_table

        if name not in self.manifest.tables:
            raise SettingsError(
                f"no table {name!r}; choose from {', '.join(sorted(self.manifest.tables))}"
            )
        if name not in self._tables:
            self._tables[name] = read_table(self.folder, self.manifest, name)
        return self._tables[name]

    @property
    def assignments(self) -> "pa.Table":
        """One row for each distinct utterance of the log."""
        return self.table("assignments")

    @property
    def rows(self) -> "pa.Table":
        """One row for each row of the log that was used, in the order of the log."""
        return self.table("rows")

    @property
    def intents(self) -> "pa.Table":
        """One row for each intent, known or novel."""
        return self.table("intents")

    @property
    def domains(self) -> "pa.Table":
        """One row for each domain, known or novel."""
        return self.table("domains")

    @property
    def dropped(self) -> "pa.Table":
        """One row for each cluster that is no intent."""
        return self.table("dropped")

    @property
    def levels(self) -> "pa.Table":
        """One row for each novel intent at each level: coarse, auto and fine."""
        return self.table("levels")

    @property
    def rejects(self) -> "pa.Table":
        """One row for each row of the input that could not be used."""
        return self.table("rejects")

    def pandas(self, name: str) -> "pandas.DataFrame":
        """Return a table as a pandas data frame; needs pandas."""
        return self.table(name).to_pandas()

    def polars(self, name: str) -> "polars.DataFrame":
        """Return a table as a Polars data frame; needs Polars."""
        import polars

        return polars.DataFrame(self.table(name))

    @cached_property
    def model(self) -> Model:
        """The model of the run."""
        return Model(self._intents.known.folder, keep=self._keep)

    def assign(self, texts: Iterable[str | None]) -> "pa.Table":
        """Assign texts to the intents of the run, known and novel.

        Args:
            texts: a list, series or array of texts.

        Returns:
            A table with one row for each text, in order: text; intent_id and name of its intent;
            kind and reason, as in the table assignments; distance, 1 - cosine to the nearest
            centroid in the learned space, 0 to 2; domain, the name of the intent's domain. Without
            an intent, intent_id, name and domain are null. All are null if the text is not usable.

        Raises:
            SettingsError: if an item is not a text, or the encoder cannot be loaded or differs from
                that of the fit.
        """
        import pyarrow as pa

        items = to_texts(texts)
        self._intents.check_encoder()
        rows = self._intents.assign(items)
        types = dict.fromkeys(INTENT_COLUMNS, pa.string()) | {"distance": pa.float32()}
        return as_table(items, rows, types)

    def regroup(
        self,
        granularity: str | None = None,
        max_intents: int | None = None,
        output: str | os.PathLike[str] | None = None,
        quiet: bool = False,
    ) -> "Run":
        """Write the tables of the run again at another level of its novel intents.

        Args:
            granularity: the level, "coarse", "auto" or "fine"; None keeps the present one.
            max_intents: largest number of novel intents, at least 1; None keeps the present one.
            output: folder of a new run; None replaces the tables of this one.
            quiet: True to show no progress.

        Returns:
            the new run, or this one with its new tables.

        Raises:
            SettingsError: if a value is wrong, or the folder stages of the run is missing.
        """
        from advin.pipelines import storage
        from advin.pipelines.regroup import regroup

        given = {"levels.granularity": granularity, "levels.max_intents": max_intents}
        values = {name: value for name, value in given.items() if value is not None}
        target = None if output is None else storage.absolute(to_path(output, "output"))
        with session(quiet):
            manifest = regroup(self.folder, values, in_process(), target)
        if target is not None:
            return Run(target, manifest, keep=self._keep)
        self.manifest = manifest
        self._tables.clear()
        return self

    def __repr__(self) -> str:
        """Describe the run in a line, and list its largest novel intents."""
        lines = [f"<advin.Run in {self.folder}: {self._summary()}>"]
        lines += [f"  {size:>8,}  {name}  ({example})" for name, size, example in self._largest()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Describe the run in HTML, with all texts escaped."""
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{size:,}</td><td>{html.escape(example)}</td></tr>"
            for name, size, example in self._largest()
        )
        header = "<tr><th>novel intent</th><th>rows</th><th>most central utterance</th></tr>"
        return f"<p>{html.escape(self._summary())}</p><table>{header}{rows}</table>"

    @cached_property
    def _intents(self) -> RunIntents:
        return RunIntents(self.folder)

    def _summary(self) -> str:
        counts = defaultdict(int, self.manifest.funnel)
        return (
            f"{counts['rows read']:,} rows, {counts['distinct utterances']:,} distinct utterances, "
            f"{counts['novel intents']:,} novel intents in {counts['novel domains']:,} novel "
            f"domains, {counts['known intents']:,} known intents"
        )

    def _largest(self) -> Iterator[tuple[str, int, str]]:
        """Yield name, rows and most central utterance of the largest novel intents."""
        columns = ["name", "kind", "size", "exemplars", "intent_id"]
        rows = [row for row in self.intents.select(columns).to_pylist() if row["kind"] == NOVEL]
        for row in sorted(rows, key=lambda r: (-r["size"], r["intent_id"]))[:_SHOWN]:
            yield row["name"], row["size"], (row["exemplars"] or [""])[0]
