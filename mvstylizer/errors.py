"""The one exception tree. Every message says what is wrong, where, and what to do about it."""

EXIT_OK = 0
EXIT_INTERRUPTED = 130


class MVStylizerError(Exception):
    """Base of every error that a user may see; the message is one line, fit for a terminal.

    ``exit_code`` is what the command line exits with.
    """

    exit_code = 1


class UsageError(MVStylizerError):
    """The request itself cannot be carried out: an option, a name, an output that must not be overwritten."""

    exit_code = 2


class OutputError(UsageError):
    """The output cannot be written where it was asked for."""


class InputError(MVStylizerError):
    """A file that was given cannot be read as what it should be."""

    exit_code = 3


class ReleaseError(InputError):
    """A release is missing, damaged or not of a kind that this version can run."""


class EdgeError(MVStylizerError):
    """The edge or the cloud cannot be reached, or answers something that makes no sense."""

    exit_code = 4


class NoSpaceError(MVStylizerError):
    """The disk is full."""

    exit_code = 5


class BatchError(MVStylizerError):
    """Some of several files failed; each has been told of, and the exit code is that of the first."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
