"""The command line: the same verbs as in Python, a page for a person, one JSON document for a machine.

Results go to standard output, progress and refusals to standard error; the exit status is 0 for a full answer, 1 for a
fault of our own, 2 for input that was refused, 3 for no answer or a part of one. Libraries load with the command that
needs them.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

# In the order in which help lists them.
# isort: off
from friendshore.cli import run as run
from friendshore.cli import report as report
from friendshore.cli import compare as compare
from friendshore.cli import why as why
from friendshore.cli import clear as clear
from friendshore.cli import border as border
from friendshore.cli import reference as reference
from friendshore.cli import measures as measures
from friendshore.cli import signals as signals
from friendshore.cli import origin as origin
from friendshore.cli import lots as lots
from friendshore.cli import screen as screen
from friendshore.cli import agreement as agreement
from friendshore.cli import world as world
from friendshore.cli import formula as formula

# isort: on
from friendshore.cli.groups import app
from friendshore.cli.tell import release, say
from friendshore.errors import FriendshoreError

DEBUG = "FRIENDSHORE_DEBUG"
INTERRUPTED = 130  # 128 and the signal's number, as a shell has it


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status.

    Raises
    ------
    SystemExit   0 a full answer · 1 our own fault · 2 input refused · 3 no answer or a partial one · 130 interrupted
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words[:1] or os.environ.get(DEBUG, "0") not in ("", "0")
    try:
        app(args=words, prog_name="friendshore")
    except SystemExit as left:
        if left.code == INTERRUPTED:
            say("friendshore: interrupted", err=True)
        raise
    except FriendshoreError as refused:
        say(str(refused), err=True)
        sys.exit(refused.exit_status)
    except MemoryError:
        say("friendshore: out of memory", err=True)
        sys.exit(1)
    except Exception as fault:  # noqa: BLE001 - the last line of defence: whatever it is, it is ours
        if debug:
            import traceback

            traceback.print_exc()
        say(_our_fault(fault, words), err=True)
        sys.exit(1)
    sys.exit(0)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"friendshore {release()}")
        raise typer.Exit


@app.callback()
def friendshore(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="The version, and nothing else.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Show where a fault of ours happened; {DEBUG}=1 does the same.")
    ] = False,
) -> None:
    """$ friendshore run plurilateral-2026 --out out

    What a critical-minerals trade agreement does, to whom, and who pays.

    Exit status: 0 a full answer, 1 a fault of ours, 2 input refused and nothing run, 3 no answer or a part of one.
    """


def _our_fault(fault: BaseException, words: Sequence[str]) -> str:
    last = fault.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f" ({Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno})" if last is not None else ""
    again = shlex.join(["friendshore", "--debug", *(word for word in words if word != "--debug")])
    return (
        f"A fault of ours, not of your input: {type(fault).__name__}: {fault}{where}\n"
        f"Please report it with your files and what this prints: {again}"
    )
