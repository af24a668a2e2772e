"""Work that waits for a person."""


class WaitingError(ValueError):
    """The work stands where a person has to do something; the same command then goes on."""
