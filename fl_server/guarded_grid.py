"""Stands between a stock strategy and Flower's Grid: bad replies become errors, waiting is quiet, rounds repeat.

The strategy sees the replies that may be averaged as they came, and an Error in place of every other one.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from flwr.app import Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run

from fl_server.guard import EXPIRED, REJECTED, BadReplyError, NormGuard, Rejection, kind_of_error, round_of, update_norm

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 1.0
_REMIND_SECONDS = 600.0
_MOST_TOLD = 100
_SILENT = "no answer within the round's time"


@dataclass
class Exchange:
    """What came of the messages of one round, over all its attempts."""

    taking_part: dict[int, str] = field(default_factory=dict)
    """Names of the nodes whose updates were accepted, by node id."""
    norms: dict[int, float] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    """The last ones."""
    counts: Counter[str] = field(default_factory=Counter)
    """All rejections by kind."""
    attempts: int = 0

    def reject(self, rejection: Rejection) -> None:
        """Count and tell of one."""
        self.counts[rejection.kind] += 1
        self.rejections = [*self.rejections, rejection][-_MOST_TOLD:]
        level = logging.INFO if rejection.kind in ("busy", "no-data") else logging.WARNING
        _LOG.log(level, "edge %s (node %d) left out, %s: %s", rejection.name, rejection.node, rejection.kind,
                 rejection.reason)  # fmt: skip


class GuardedGrid(Grid):
    """A Grid for one campaign; ``begin_round`` before, ``exchange`` after each round.

    ``timeout`` is the time of a round in seconds, which its messages live; ``pause`` lies between attempts in which
    nobody gave anything; ``tell`` hears in a few words what is going on.
    """

    def __init__(
        self,
        grid: Grid,
        norms: NormGuard,
        *,
        min_edges: int = 1,
        timeout: float = 900.0,
        pause: float = 10.0,
        poll: float = _POLL_SECONDS,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._grid = grid
        self._norms = norms
        self._min_edges = min_edges
        self._timeout = timeout
        self._pause = pause
        self._poll = poll
        self._tell = tell
        self._names: dict[int, str] = {}
        self._silent_until: dict[int, float] = {}
        self._snapshot: list[int] = []
        self.exchange = Exchange()

    def begin_round(self) -> None:
        """Wait, quietly, until enough edges are there; these are the round's."""
        self.exchange = Exchange()
        self._snapshot = self._free_nodes()

    def get_node_ids(self) -> Iterable[int]:
        """The round's edges: a strategy asks twice and waits for those that went away in between."""
        return list(self._snapshot)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Replies to train messages, bad ones as errors; sent again until one of them can be averaged.

        Without messages (an evaluation that was put off) there are no replies.
        """
        sent = list(messages)
        while sent:
            replies = self._attempt(sent)
            if any(reply.has_content() for reply in replies):
                return replies
            self._tell("waiting: no edge gave anything, the round will be repeated")
            time.sleep(self._pause)
            sent = self._renewed(sent[0])
        return []

    def _attempt(self, sent: list[Message]) -> list[Message]:
        self.exchange.attempts += 1
        self._tell(f"training on {len(sent)} edge{'s' if len(sent) > 1 else ''}")
        for message in sent:
            message.metadata.ttl = self._timeout
        came = self._grid.send_and_receive(sent, timeout=self._timeout)
        # Only now do they have their ids. A reply that answers none of them is not of this round.
        by_id = {message.metadata.message_id: message for message in sent}
        replies = {reply.metadata.reply_to_message_id: reply for reply in came}
        for message in (message for key, message in by_id.items() if key not in replies):
            replies[message.metadata.message_id] = Message(Error(EXPIRED, _SILENT), reply_to=message)
        return self._judged([(by_id[key], reply) for key, reply in replies.items() if key in by_id])

    def _judged(self, pairs: list[tuple[Message, Message]]) -> list[Message]:
        """Replies in the order of their nodes, so that sums do not depend on who was first."""
        norms: dict[int, float] = {}
        judged: dict[int, Message] = {}
        asked = {message.metadata.dst_node_id: message for message, _ in pairs}
        for message, reply in sorted(pairs, key=lambda pair: pair[0].metadata.dst_node_id):
            node = message.metadata.dst_node_id
            try:
                if reply.has_error():
                    # Flower's own errors name the SuperLink as their sender.
                    judged[node] = self._error(message, kind_of_error(reply.error.code), reply.error)
                else:
                    norms[node] = update_norm(reply.content, message.content)
                    judged[node] = reply
            except BadReplyError as error:
                judged[node] = self._error(message, error.kind, Error(REJECTED, f"rejected: {error}"))
        for node, reason in self._norms.judge(norms).items():
            judged[node] = self._error(asked[node], "norm", Error(REJECTED, f"rejected: {reason}"))
        for node, norm in norms.items():
            if judged[node].has_content():
                self.exchange.taking_part[node], self.exchange.norms[node] = self._name(node), norm
        return [judged[node] for node in sorted(judged)]

    def _error(self, message: Message, kind: str, error: Error) -> Message:
        node = message.metadata.dst_node_id
        self.exchange.reject(Rejection(node, self._name(node), kind, error.reason or f"error {error.code}"))
        if error.code == EXPIRED:
            # It may still be at it: a second message would only wait behind the first.
            self._silent_until[node] = time.monotonic() + self._timeout
        return Message(error, reply_to=message)

    def _renewed(self, message: Message) -> list[Message]:
        kind, content = message.metadata.message_type, message.content
        _LOG.info("round %d: asking again", round_of(message))
        return [Message(content, node, kind) for node in self._free_nodes()]

    def _free_nodes(self) -> list[int]:
        reminded = -float("inf")
        while True:
            nodes = {node.node_id: node.name for node in self._grid.get_nodes()}
            self._names |= {node: name for node, name in nodes.items() if name}
            now = time.monotonic()
            free = sorted(node for node in nodes if self._silent_until.get(node, 0.0) <= now)
            if len(free) >= self._min_edges:
                return free
            if now - reminded >= _REMIND_SECONDS:
                self._tell(f"waiting for edges: {len(free)} of {self._min_edges} there")
                _LOG.info("waiting for edges: %d of %d there", len(free), self._min_edges)
                reminded = now
            time.sleep(self._poll)

    def _name(self, node: int) -> str:
        return self._names.get(node) or f"node-{node}"

    def set_run(self, run: Run) -> None:
        """As the Grid behind."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """As the Grid behind."""
        return self._grid.run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """As the Grid behind."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """As the Grid behind."""
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """As the Grid behind."""
        return self._grid.pull_messages(message_ids)
