"""Print the tables of result files, also of interrupted runs.

python -m benchmarks.tables benchmarks/results/*.json
"""

import json
import sys
from pathlib import Path

from benchmarks.common import table


def main() -> None:
    """Print the command and the table of each file."""
    for path in map(Path, sys.argv[1:]):
        result = json.loads(path.read_text())
        print(f"{path.name}: `{result['command']}`\n\n{table(result['results'])}\n")


if __name__ == "__main__":
    main()
