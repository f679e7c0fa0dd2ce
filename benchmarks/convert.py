"""Convert a public data set from its original layout to the Parquet file that benchmarks read.

Two layouts are known. In TEXTOIR's, train.tsv, dev.tsv and test.tsv have a text and its label in
each line. In Few-Shot-Intent-Detection's, the folders train, valid and test have a file seq.in with
one text in each line and a file label with its label. With `--domains`, the domain of a label is
the part before its first underscore.

    python -m benchmarks.convert TEXTOIR/data/stackoverflow stackoverflow.parquet
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import DEV, TEST, TRAIN

_FOLDERS = {TRAIN: "train", DEV: "valid", TEST: "test"}
_OUT_OF_SCOPE = "oos"


def read(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (text, label, split) of each row.

    Raises:
        ValueError: if the folder has neither layout, or the numbers of texts and labels differ.
    """
    if (folder / f"{TRAIN}.tsv").is_file():
        for split in _FOLDERS:
            with open(folder / f"{split}.tsv", encoding="utf-8", newline="") as file:
                rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
                next(rows)
                yield from ((text, label, split) for text, label in rows)
    elif (folder / TRAIN / "seq.in").is_file():
        for split, name in _FOLDERS.items():
            texts, labels = (
                (folder / name / part).read_text(encoding="utf-8").splitlines()
                for part in ("seq.in", "label")
            )
            if len(texts) != len(labels):
                raise ValueError(
                    f"{folder / name} has {len(texts)} texts, but {len(labels)} labels: "
                    "give one label for each text"
                )
            yield from ((t.strip(), i.strip(), split) for t, i in zip(texts, labels, strict=True))
    else:
        raise ValueError(f"{folder} has neither train.tsv nor train/seq.in: give a folder with one")


def main() -> None:
    """Convert one folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path, metavar="FILE.parquet")
    parser.add_argument(
        "--domains", action="store_true", help="use the first word of a label as its domain"
    )
    options = parser.parse_args()
    try:
        texts, labels, splits = zip(*read(options.folder), strict=True)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    columns = {
        "text": texts,
        "intent": labels,
        "domain": [label.split("_")[0] if options.domains else None for label in labels],
        "split": splits,
    }
    table = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    table["is_oos"] = pa.array([label == _OUT_OF_SCOPE for label in labels])
    pq.write_table(pa.table(table), options.out)
    print(f"{options.out}: {len(texts):,} texts of {len(set(labels)):,} labels")


if __name__ == "__main__":
    main()
