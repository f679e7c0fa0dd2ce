"""How a job is started: the command line and the engines."""
