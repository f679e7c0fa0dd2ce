"""The Beam pipelines: wire `discovery` into PTransforms, and decide nothing."""
