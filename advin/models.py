"""A fitted model, as users see it."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from advin.assignment import KNOWN_COLUMNS, KnownIntents
from advin.frames import to_path, to_texts
from advin.pipelines.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow as pa

    from advin.discovery.model import Model as FittedModel


class Model:
    """A fitted model: known intents, novelty scores, and the learned space and distances.

    Attributes:
        folder: folder of the model's files.
    """

    def __init__(self, folder: str, keep: object = None):
        """Refer to a folder; `keep` is an object that must live as long as the model."""
        self.folder = folder
        self._keep = keep
        self._known = KnownIntents(folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Load a model that `advin.fit` or `advin fit` wrote, or the folder `model` of a run.

        Raises:
            SettingsError: if there is no model in the folder, or it cannot be read.
        """
        from advin.pipelines import storage

        model = cls(storage.absolute(to_path(folder, "folder")))
        _ = model.fitted
        return model

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Copy the model's files into a folder, which is made if it does not exist."""
        from advin.pipelines.models import save_model

        try:
            save_model(to_path(folder, "folder"), self.fitted)
        except OSError as error:
            raise SettingsError(f"cannot write into the folder {folder}: {error}") from error

    @property
    def fitted(self) -> "FittedModel":
        """The arrays and numbers of the model."""
        return self._known.model

    @property
    def intents(self) -> tuple[str, ...]:
        """Labels of the known intents; empty if there were no labels."""
        return self.fitted.intents

    def assign(self, texts: Iterable[str | None]) -> "pa.Table":
        """Score texts against the known intents.

        Args:
            texts: a list, series or array of texts.

        Returns:
            A table with one row for each text, in order: text; known_intent, the known intent that
            fits best; probability, 0 to 1, that the text belongs to it; novelty_score, above 0 if
            the text fits no known intent. The last three are null for a text that is not usable,
            and for a model without known intents.

        Raises:
            SettingsError: if an item is not a text, or the encoder cannot be loaded or differs from
                that of the fit.
        """
        import pyarrow as pa

        items = to_texts(texts)
        self._known.check_encoder()
        rows = self._known.assign(items)
        kinds = (pa.string(), pa.float32(), pa.float32())
        return as_table(items, rows, dict(zip(KNOWN_COLUMNS, kinds, strict=True)))

    def __repr__(self) -> str:
        """Describe the model in a line."""
        fitted = self.fitted
        return (
            f"<advin.Model in {self.folder}: {len(fitted.intents)} known intents, encoder "
            f"{fitted.encoder.name}>"
        )


def as_table(
    texts: list[str | None], rows: list[dict[str, Any]], kinds: dict[str, Any]
) -> "pa.Table":
    """Return a table of texts and the columns that were found for them."""
    import pyarrow as pa

    # Lone surrogates, which UTF-8 cannot hold, become question marks.
    valid = [None if t is None else t.encode("utf-8", "replace").decode() for t in texts]
    columns = {"text": pa.array(valid, pa.string())}
    for name, kind in kinds.items():
        columns[name] = pa.array([row[name] for row in rows], kind)
    return pa.table(columns)
