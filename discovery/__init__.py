"""The science of ADVIN as plain functions on numpy arrays: no Beam, no files but the model's."""
