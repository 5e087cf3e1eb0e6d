"""How quick an edge has been of late, and when it may be asked again: all that the choice among several needs.

Only arithmetic: the time is handed in, in seconds of ``time.monotonic``.
"""

from inference.client.retry import Backoff

_WEIGHT_OF_THE_LATEST = 0.3
_HALF_LIFE_SECONDS = 30.0
_OVERDUE = 8.0
_LEAST_OVERDUE_SECONDS = 5.0


class Standing:
    """One edge's record.

    An edge computes one key frame after the other, so an answer takes as many turns as requests are under way there.
    What is kept is the time of one turn, a mean that forgets exponentially; it also fades while the edge is not asked,
    so that one that was slow once gets another chance.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.away_until = 0.0
        """When it is to be asked again, once it has failed."""
        self._turn: float | None = None
        self._is_measured = False
        self._latest = 0.0
        self._backoff = Backoff()

    @property
    def is_measured(self) -> bool:
        """Whether it has ever answered what takes computing."""
        return self._is_measured

    def greeted(self, seconds: float, now: float) -> None:
        """A health check took so long: all that is known of an edge that has computed nothing yet."""
        if not self._is_measured:
            self._turn, self._latest = seconds, now

    def answered(self, seconds: float, turns: int, now: float) -> None:
        """An answer came after so long, when ``turns`` requests were under way, itself among them."""
        latest = seconds / turns
        if self._turn is None or not self._is_measured:
            self._turn, self._is_measured = latest, True
        else:
            self._turn += _WEIGHT_OF_THE_LATEST * (latest - self._turn)
        self._latest = now
        self._backoff.relent()

    def failed(self, retry_after: float | None, now: float) -> None:
        """It failed or was busy: not to be asked for a while, longer each time."""
        self.away_until = now + self._backoff.next_delay(retry_after)

    def expected(self, now: float) -> float:
        """Seconds until one more request would be answered; infinite for one beside an edge's very first."""
        if self.in_flight and not self._is_measured:
            return float("inf")
        idle = 0.0 if self.in_flight else now - self._latest
        fading: float = 0.5 ** (idle / _HALF_LIFE_SECONDS)
        return (self._turn or 0.0) * fading * (self.in_flight + 1)

    def overdue(self) -> float:
        """Seconds after which a request that is under way had better be given to another edge."""
        return max(_LEAST_OVERDUE_SECONDS, _OVERDUE * (self._turn or 0.0) * max(1, self.in_flight))
