"""A Grid whose edges are ClientApps in this process: a federation of many edges in seconds, for tests and tables."""

import copy
from collections.abc import Callable, Iterable, Mapping

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

Edge = ClientApp | Callable[[Message, Context], Message | None]
NodeConfig = Mapping[str, bool | float | int | str]
_CRASHED = 2


class LocalGrid(Grid):
    """Edges by their names; each has a node id, in their order from 1, and a context that lasts.

    ``node_configs`` is what ``flower-supernode --node-config`` would give each. A reply of None stands for an edge that
    does not answer in time; an exception becomes the Error that Flower makes of it.
    """

    def __init__(self, edges: Mapping[str, Edge], node_configs: Mapping[str, NodeConfig] | None = None) -> None:
        # Flower tells who we are in each of its processes; here nobody does, and messages cannot be made without.
        TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
        self.edges = dict(edges)
        self.messages: list[Message] = []
        """All that was sent, in the order of sending."""
        self.replies: list[Message] = []
        configs = node_configs or {}
        self._ids = {name: number for number, name in enumerate(edges, 1)}
        self._contexts = {
            name: Context(1, self._ids[name], dict(configs.get(name, {})), RecordDict(), {}) for name in edges
        }

    def get_node_ids(self) -> Iterable[int]:
        """Of the edges that are in ``edges`` now."""
        return [self._ids[name] for name in self.edges]

    def get_nodes(self) -> Iterable[NodeInfo]:
        """With their names."""
        return [NodeInfo(node_id=self._ids[name], name=name) for name in self.edges]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Let each edge answer in turn."""
        names = {number: name for name, number in self._ids.items()}
        replies = []
        for message in messages:
            self.messages.append(message)
            message.metadata.__dict__["_message_id"] = f"message-{len(self.messages)}"
            reply = self._answer(names[message.metadata.dst_node_id], message)
            if reply is not None:
                replies.append(reply)
        self.replies += replies
        return replies

    def _answer(self, name: str, message: Message) -> Message | None:
        try:
            # Copied both ways, as a wire would: nobody may change what another one holds.
            return copy.deepcopy(self.edges[name](copy.deepcopy(message), self._contexts[name]))
        except Exception as error:
            return Message(Error(_CRASHED, f"{type(error).__name__}: {error}"), reply_to=message)

    def set_run(self, run: Run) -> None:
        """There is one run only."""

    @property
    def run(self) -> Run:
        """An empty one."""
        return Run.create_empty(1)

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """A message as its constructor makes it."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Answer at once; replies wait for ``pull_messages``."""
        sent = list(messages)
        self.send_and_receive(sent)
        return [message.metadata.message_id for message in sent]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The replies to these messages."""
        wanted = set(message_ids)
        return [reply for reply in self.replies if reply.metadata.reply_to_message_id in wanted]
