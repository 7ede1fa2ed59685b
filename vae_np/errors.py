"""The one exception that means 'your input, not our code': edges raise it, the command line prints it."""


class InputError(ValueError):
    """Input that cannot be used; the message is one sentence: what was found, where, what to do."""
