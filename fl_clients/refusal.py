"""Why a trainer stays out of a round, by the codes that the cloud counts."""

from enum import IntEnum


class Reason(IntEnum):
    """Codes of the errors that a trainer replies with."""

    BUSY = 1001
    NO_DATA = 1002
    LAYOUT = 1003
    """The cloud trains another network."""
    FAILED = 1004

    @property
    def text(self) -> str:
        """As it stands in messages and logs."""
        return self.name.lower().replace("_", " ")


class RefusalError(Exception):
    """This trainer stays out of the round."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(f"{reason.text}: {why}")
        self.reason = reason
