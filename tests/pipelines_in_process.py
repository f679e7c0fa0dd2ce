"""Run a Beam pipeline on the in-process engine."""

import apache_beam as beam


def run_in_process(build):
    """Run the pipeline of `build(pipeline)` and return its result."""
    pipeline = beam.Pipeline("FnApiRunner")
    build(pipeline)
    result = pipeline.run()
    result.wait_until_finish()
    return result
