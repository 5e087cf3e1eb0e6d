"""Writes down where every Python process connects to and whose name it asks for; Python loads this by its name."""

import os
import sys


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event not in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        return
    target = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
    with open(os.environ["AUDITED"], "a") as file:  # noqa: PTH123
        program = os.path.basename(getattr(sys, "argv", ["?"])[0])  # noqa: PTH119
        file.write(f"{program} {target[0] if isinstance(target, tuple) else target}\n")


if "AUDITED" in os.environ:
    sys.addaudithook(_note)
