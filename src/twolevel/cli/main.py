"""The entry point: options in, exit status out."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolevel.cli.options import DemoOptions, RunOptions
from twolevel.cli.parser import parse
from twolevel.errors import AbsentContent, InputError, TransferError, TwolevelError
from twolevel.workflow.workers.fork_server import one_thread_each, start_server
from twolevel.workflow.workers.table import WORKERS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

DONE, SOME_FAILED, USAGE, REFUSED, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 130
COMMANDS = {
    "fetch": "twolevel.cli.fetch_command",
    "run": "twolevel.cli.run_command",
    "model": "twolevel.cli.model_command",
    "validate": "twolevel.cli.validate_command",
    "report": "twolevel.cli.report_command",
    "simulate": "twolevel.cli.simulate_command",
    "demo": "twolevel.cli.demo_command",
}
DRAWING = ("run", "report", "demo")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the name of the program; default those of the process.

    Returns
    -------
    int
        0 all done; 1 some subjects or downloads failed; 2 usage; 3 input refused before anything
        was computed; 4 internal error; 130 interrupted.
    """
    options = parse(sys.argv[1:] if argv is None else argv)
    _prepare_process()
    if options.COMMAND in DRAWING:
        _find_place_for_matplotlib()
    if isinstance(options, RunOptions | DemoOptions) and WORKERS[options.worker].in_processes:
        start_server(draws=options.draws)  # beside this process, which has as much to import
    try:
        return int(_import(COMMANDS[options.COMMAND]).execute(options))
    except InputError as error:
        return _refuse(error, options.COMMAND, debug=options.debug)
    except TransferError as error:
        if options.debug:
            traceback.print_exc()
        _tell(f"{error}\nThe same command tries again, and goes on with what is here.")
        return SOME_FAILED
    except KeyboardInterrupt:
        _tell("\nInterrupted. Finished steps are kept: the same command goes on from there.")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the one place where all that is left is caught
        if options.debug:
            traceback.print_exc()
        kind = "Error" if isinstance(error, TwolevelError) else "Internal error"
        _tell(f"{kind}: {type(error).__name__}: {error}")
        if not options.debug:
            _tell("Run again with --debug for the traceback.")
        return INTERNAL


def _import(name: str) -> Any:
    """Import a module; nothing of what that makes is garbage, and looking for it takes a fifth."""
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def _prepare_process() -> None:
    one_thread_each()
    os.environ.setdefault("MPLBACKEND", "Agg")
    for sign in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sign) != signal.SIG_IGN:  # by nohup, say
            signal.signal(sign, _interrupt)


def _find_place_for_matplotlib() -> None:
    """Give matplotlib a folder where it cannot write: it would warn, in each process."""
    if "MPLCONFIGDIR" in os.environ:
        return
    try:
        settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "matplotlib")
        settings.mkdir(parents=True, exist_ok=True)
        writable = os.access(settings, os.W_OK)
    except (OSError, RuntimeError):  # nobody's home
        writable = False
    if not writable:
        folder = tempfile.mkdtemp(prefix="twolevel-matplotlib-")
        os.environ["MPLCONFIGDIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _refuse(error: InputError, command: str, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    problems = error.problems
    if any(isinstance(problem, AbsentContent) for problem in problems):
        from twolevel.fetch.not_fetched import absent_together  # noqa: PLC0415  # seldom needed

        problems = tuple(absent_together(problems))
    count = len(problems)
    done = "downloaded" if command == "fetch" else "computed"
    _tell(f"Refused: {count} problem{'s' * (count > 1)}. Nothing was {done}.\n")
    for problem in problems:
        _tell(f"{problem}\n")
    return REFUSED


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201  # a user reads it
