"""Runs checks one after the other and tells how each went; the checks themselves are in ``doctor_…``.

A check is a function that returns what it found in a line, as ``Doubt`` where that works but should be seen to, and
raises an MVStylizerError where it does not work.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

from mvstylizer.errors import EXIT_OK, BatchError, MVStylizerError, UsageError

OK, WARN, FAIL = "ok", "warn", "FAIL"


class Doubt(str):
    """A line about something that works, but not as it should; says what to do."""


@dataclass(frozen=True)
class Check:
    """A check and its name, one word or two."""

    name: str
    run: Callable[[], str]


@dataclass(frozen=True)
class Finding:
    """How a check went: ``state`` is ok, warn or FAIL; ``exit_code`` that of the error, 0 without one."""

    name: str
    state: str
    text: str
    exit_code: int = EXIT_OK


def examine(checks: Iterable[Check]) -> Iterator[Finding]:
    """Carry out the checks in turn; one that fails does not keep the next from being tried."""
    for check in checks:
        try:
            text = check.run()
            yield Finding(check.name, WARN if isinstance(text, Doubt) else OK, text)
        except MVStylizerError as error:
            yield _failed(check, error)
        except ImportError as error:
            yield _failed(check, UsageError(f"a library does not load ({error}); pip install --force-reinstall it"))
        except OSError as error:
            yield _failed(check, UsageError(f"{error}; see to what the system refuses there, then run this again"))


def tell(findings: Iterable[Finding], *, as_json: bool = False) -> None:
    """Print one line for each finding as it comes, or all as one JSON object.

    Raises BatchError, with the exit code of the first that failed, if any did.
    """
    told = []
    for finding in findings:
        told.append(finding)
        if not as_json:
            print(f"{finding.state:<5} {finding.name:<9} {' '.join(finding.text.split())}", flush=True)
    failed = [finding for finding in told if finding.state == FAIL]
    if as_json:
        print(json.dumps({"ok": not failed, "checks": [asdict(finding) for finding in told]}, indent=1))
    if failed:
        names = ", ".join(finding.name for finding in failed)
        raise BatchError(f"{len(failed)} of {len(told)} checks failed: {names}", failed[0].exit_code)


def _failed(check: Check, error: MVStylizerError) -> Finding:
    return Finding(check.name, FAIL, str(error), error.exit_code)
