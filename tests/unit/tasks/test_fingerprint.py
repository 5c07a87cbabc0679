from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from twolevel.tasks.fingerprint import ROOT, sources_of_numbers

if TYPE_CHECKING:
    from pathlib import Path

DRAWING = ROOT / "tasks" / "draw.py"


def imported_by(path: Path) -> set[Path]:
    """Return the modules of this package that a module imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        if name.startswith("twolevel.")
    }
    places = [ROOT.joinpath(*name.split(".")[1:]).with_suffix(".py") for name in names]
    return {place for place in places if place.is_file()}


def test_every_module_that_a_task_of_numbers_executes_is_in_the_fingerprint():
    todo = set((ROOT / "tasks").glob("*.py")) - {DRAWING, ROOT / "tasks" / "fetch_runs.py"}
    reached: set[Path] = set()
    while todo:
        path = todo.pop()
        reached.add(path)
        todo |= imported_by(path) - reached
    assert ROOT / "files" / "nifti.py" in reached
    assert sorted(reached - set(sources_of_numbers())) == []
