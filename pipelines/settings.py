"""The settings of a run: find inputs, model and encoder before the first stage starts."""

import dataclasses
from typing import Any

from advin.discovery.compute.precision import best_precision
from advin.discovery.config import DISCOVER_SECTIONS, Config
from advin.discovery.encoding.encoder import EncoderError, load_encoder
from advin.discovery.encoding.identity import EncoderIdentity
from advin.discovery.model import Model, ModelError
from advin.pipelines.embed import EncoderSettings
from advin.pipelines.errors import SettingsError
from advin.pipelines.models import load_model, model_fingerprint
from advin.pipelines.reading.columns import FLAGS, Columns, input_columns
from advin.pipelines.reading.files import InputFile
from advin.pipelines.reading.inputs import find_input, input_fingerprint
from advin.pipelines.reading.row_columns import ExtraColumn, RowColumns, extra_columns

# The columns of the table rows in the settings that a run is known by.
ROWS_CLAIM = "rows"


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a run.

    Attributes:
        input: the log: a file, folder or glob.
        labeled: labeled utterances of the known intents, or None.
        ood: out-of-domain texts, or None.
        model: folder of the model: an output if `labeled` is given, else an input; None for a
            model in the output folder.
        columns: columns of each input: "log", "labeled" and "ood".
        encoder: hub id or folder; None for the model's own encoder, or the default one.
        threads: processor threads of the encoder; they affect the last bits of its vectors.
        precision: precision of the encoder, "fp32" or "bf16"; None for the model's own, or the
            best one of this processor.
        config: the configuration; None for the model's own, or the defaults. For a given model it
            may differ from the model's own in the sections `DISCOVER_SECTIONS` only.
        overwrite: True if the run may replace another model in the folder `model`.
        speakers: speakers whose rows of the log are used, in the log's domain column; () for all.
        rows: columns of the log for the table rows; None to leave the table out.
        accelerator: type of the GPU of workers that encode, for engines that know such hints.
        given: settings that the user gave, for the manifest only.
    """

    input: str
    labeled: str | None = None
    ood: str | None = None
    model: str | None = None
    columns: dict[str, Columns] = dataclasses.field(default_factory=lambda: input_columns({}, {}))
    encoder: str | None = None
    threads: int = 2
    precision: str | None = None
    config: Config | None = None
    overwrite: bool = False
    speakers: tuple[str, ...] = ()
    rows: RowColumns | None = None
    accelerator: str | None = None
    given: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """True if the run fits a model: labels are given, or no model is."""
        return self.labeled is not None or self.model is None


@dataclasses.dataclass(frozen=True)
class Source:
    """One of the inputs.

    Attributes:
        flag: the setting that names it, for messages.
        files: its files.
        columns: the columns to read.
    """

    flag: str
    files: list[InputFile]
    columns: Columns


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Settings with everything that is looked up on this machine.

    Attributes:
        settings: as the user gave them.
        config: the configuration in effect.
        sources: inputs by role: "log", "labeled", "ood".
        encoder: settings of the encoder.
        identity: of the encoder.
        row_columns: columns of the log for the table rows.
    """

    settings: Settings
    config: Config
    sources: dict[str, Source]
    encoder: EncoderSettings
    identity: EncoderIdentity
    row_columns: tuple[ExtraColumn, ...] = ()

    def claim(self) -> dict[str, Any]:
        """Return everything that distinguishes this run from others, as JSON values."""
        claim = {
            **{role: input_fingerprint(source.files) for role, source in self.sources.items()},
            "columns": {role: dataclasses.asdict(s.columns) for role, s in self.sources.items()},
            "encoder": dataclasses.asdict(self.identity),
            "threads": self.settings.threads,
            "config": self.config.to_dict(),
            "speakers": list(self.settings.speakers),
        }
        if self.settings.rows is not None:
            claim[ROWS_CLAIM] = dataclasses.asdict(self.settings.rows)
        if not self.settings.fits:
            claim["model"] = model_fingerprint(str(self.settings.model))
        return claim


def prepare(settings: Settings) -> Prepared:
    """Find the inputs and load the encoder, so that errors show before anything is submitted.

    Raises:
        SettingsError: if an input, the model, the configuration or the encoder is not usable.
    """
    sources = _find_sources(settings)
    row_columns: tuple[ExtraColumn, ...] = ()
    if settings.rows is not None:
        log = sources["log"]
        columns, row_columns = extra_columns(settings.rows, log.files, log.columns)
        sources["log"] = dataclasses.replace(log, columns=columns)
    model = None if settings.fits else load_model(str(settings.model))
    name = settings.encoder or (model.encoder.name if model else None)
    # Chosen once for all workers, whose processors may differ.
    precision = settings.precision or (model.encoder.precision if model else best_precision())
    try:
        encoder = load_encoder(name, settings.threads, precision)
        identity = EncoderIdentity.of(encoder)
        if model is not None:
            model.encoder.check_same(identity)
    except (EncoderError, ModelError) as error:
        raise SettingsError(str(error)) from error
    config = _config(settings, model)
    chosen = EncoderSettings(encoder.name, settings.threads, precision, config.text.piece_words)
    return Prepared(settings, config, sources, chosen, identity, row_columns)


def _find_sources(settings: Settings) -> dict[str, Source]:
    patterns = {"log": settings.input, "labeled": settings.labeled, "ood": settings.ood}
    return {
        role: Source(
            FLAGS[role],
            find_input(pattern, settings.columns[role], FLAGS[role]),
            settings.columns[role],
        )
        for role, pattern in patterns.items()
        if pattern is not None
    }


def _config(settings: Settings, model: Model | None) -> Config:
    """Return the configuration in effect.

    Raises:
        SettingsError: if it differs from the model's own in a section that acts in the fit.
    """
    if model is None:
        return settings.config or Config()
    if settings.config is None:
        return model.config
    fitted = {tunable.name: tunable.value for tunable in model.config.tunables()}
    for tunable in settings.config.tunables():
        name, value = tunable.name, tunable.value
        if value != fitted[name] and name.partition(".")[0] not in DISCOVER_SECTIONS:
            raise SettingsError(
                f"{name} is {value}, but the model in {settings.model} was fitted with "
                f"{fitted[name]}: leave {name} as it is, or fit a new model"
            )
    return settings.config
