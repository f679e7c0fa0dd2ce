"""The Flex Template of Dataflow: its parameters, taken from the command line, and its entry point.

A template launches one job, but a run is a chain of jobs. So the template's job is a small one: its
only element calls `advin discover`, which submits each stage as a job. If its worker dies, the
element is retried, and the run resumes at the first unfinished stage.

    python -m advin.runners.template > dataflow/metadata.json
"""

import argparse
import json
import sys
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from advin.runners.flags import command_line, commands_of, parse

# Flags of other engines, flags with one value in every launch, and a flag that is repeated.
_LEFT_OUT = {"help", "runner", "dry_run", "overwrite", "set"}
_LEFT_OUT |= {"flink_master", "worker_pool", "flink_job_server", "parallelism"}
# Settings of the launch itself; the launcher passes them to the program.
_OF_THE_LAUNCH = {"project", "region", "temp_location"}


def metadata() -> dict:
    """Return the template's metadata: a parameter for each flag of `advin discover`."""
    parser = commands_of(command_line())["discover"]
    return {
        "name": "advin discover",
        "description": "Finds novel intents and domains in utterance logs.",
        "parameters": [_parameter(a, parser) for a in parser._actions if _is_parameter(a)],
    }


def _is_parameter(action: argparse.Action) -> bool:
    return action.dest not in _LEFT_OUT | _OF_THE_LAUNCH


def _parameter(action: argparse.Action, parser: argparse.ArgumentParser) -> dict:
    text = (action.help or "") % {**vars(action), "prog": parser.prog}
    parameter = {
        "name": action.dest,
        "label": action.dest.replace("_", " "),
        "helpText": text,
        # Workers in the cloud need an image, other engines do not.
        "isOptional": not action.required and action.dest != "image",
    }
    if action.choices:
        parameter["regexes"] = [f"^({'|'.join(action.choices)})$"]
    elif action.type is int:
        parameter["regexes"] = ["^[0-9]+$"]
    return parameter


def build(pipeline: beam.Pipeline, arguments: Sequence[str]) -> None:
    """Add the step that calls `advin discover` with some arguments."""
    (
        pipeline
        | "Arguments" >> beam.Create([list(arguments)], reshuffle=False)
        | "Drive" >> beam.Map(_drive)
    )


def _drive(arguments: list[str]) -> None:
    # Imported late: the launcher only builds the pipeline.
    from advin.runners.commands import run_discover

    run_discover(*parse(["discover", *arguments]))


def main(arguments: Sequence[str]) -> None:
    """Launch the template's job; its parameters go to `advin discover`, other flags to the job."""
    known, rest = parse(["discover", *(a for a in arguments if not a.startswith("--runner"))])
    ours = [
        f"{action.option_strings[0]}={getattr(known, action.dest)}"
        for action in commands_of(command_line())["discover"]._actions
        if action.dest in _OF_THE_LAUNCH or _is_parameter(action)
        if getattr(known, action.dest) is not None
    ]
    options = [f"--{name}={getattr(known, name)}" for name in sorted(_OF_THE_LAUNCH)]
    options += [f"--sdk_container_image={known.image}", "--sdk_location=container", *rest]
    pipeline = beam.Pipeline(options=PipelineOptions(["--runner=DataflowRunner", *options]))
    build(pipeline, ["--runner=dataflow", *ours])
    pipeline.run()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1:])
    else:
        print(json.dumps(metadata(), indent=2))
