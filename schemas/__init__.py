"""The contracts: tables, stage files, batches, manifests. Imports neither Beam nor science."""
