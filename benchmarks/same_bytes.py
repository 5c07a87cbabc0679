"""Compare what two commits write, byte by byte, on this machine.

``python -m benchmarks.same_bytes BEFORE [AFTER]``: each commit simulates the study of the golden
record and analyses it in every way; without AFTER, the working tree does. Logs, figures and the
report are exempt, and so are the records under ``.twolevel`` and what sidecars say of versions.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from command import call_process  # noqa: E402
from golden import RUNS, analyse  # noqa: E402

EXEMPT = ("logs/", "figures/", "report.html", ".twolevel/")


def check_out(commit: str, folder: Path) -> Path:
    """Put the sources of a commit into `folder` and return where the package lies."""
    folder.mkdir()
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit, "src"], capture_output=True, check=True
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder / "src"


def contents(output_dir: Path) -> dict[str, bytes]:
    """Return what must be the same bytes, by name."""
    names = {p.relative_to(output_dir).as_posix(): p for p in output_dir.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith(EXEMPT)}


def what_differs(before: Path, after: Path) -> list[str]:
    """Name the files that only one of two trees has, and those that differ."""
    old, new = contents(before), contents(after)
    lines = [f"only before: {name}" for name in sorted(old.keys() - new.keys())]
    lines += [f"only after:  {name}" for name in sorted(new.keys() - old.keys())]
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            keys = keys_that_differ(old[name], new[name]) if name.endswith(".json") else ""
            lines.append(f"differs:     {name}{keys}")
    return lines


def keys_that_differ(before: bytes, after: bytes) -> str:
    """Name the keys of two sidecars that differ."""
    old, new = json.loads(before), json.loads(after)
    keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return f": {', '.join(keys)}"


def main() -> int:
    """Analyse with both commits and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before")
    parser.add_argument("after", nargs="?")
    parser.add_argument("--option", action="append", default=[], help="for every run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        outputs = []
        for name, commit in (("before", given.before), ("after", given.after)):
            folder = Path(scratch, name)
            source = check_out(commit, folder) if commit else ROOT / "src"
            folder.mkdir(exist_ok=True)
            call = partial(call_process, environment={"PYTHONPATH": str(source)})
            outputs.append(analyse(folder, *given.option, call=call))
        lines = [
            f"{run}: {line}" for run in RUNS for line in what_differs(*(o[run] for o in outputs))
        ]
        n_files = sum(len(contents(output_dir)) for output_dir in outputs[1].values())
    print("\n".join(lines) or f"the same bytes: {n_files} files")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
