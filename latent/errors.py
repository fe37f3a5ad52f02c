"""Errors for people."""


class UserError(Exception):
    """An error whose message is one clear line for a person: what is wrong, what is right, what to do."""


class Terminated(KeyboardInterrupt):
    """The system asks the process to end (SIGTERM): handled as a person's Ctrl-C is, but for the exit code."""


class Busy(UserError):
    """Another process is at it."""


class Diverged(UserError):
    """A training whose numbers are no longer numbers."""
