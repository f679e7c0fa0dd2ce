"""The one error that stops a job before it starts."""


class SettingsError(ValueError):
    """A setting or a file is wrong: one clear line for the user, exit code 2."""
