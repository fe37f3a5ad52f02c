"""Errors for people."""


class UserError(Exception):
    """An error whose message is one clear line for a person: what is wrong, what is right, what to do."""


class Diverged(UserError):
    """A training whose numbers are no longer numbers."""
