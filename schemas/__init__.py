"""The contracts: what tables, stage files and manifests look like. Imports neither Beam nor science."""
