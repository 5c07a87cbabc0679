"""Each file of the package counts for numbers, for figures, or knowingly for neither."""

from __future__ import annotations

import ast
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from twolevel.tasks import fingerprint
from twolevel.tasks.fingerprint import (
    ROOT,
    drawing_fingerprint,
    numbers_fingerprint,
    sources_of_drawing,
    sources_of_numbers,
)

# What users see, and how jobs are run: none of it changes what a step computes or draws.
NEITHER = ("__init__.py", "__main__.py", "cli/", "simulate/", "workflow/")


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def imported(path: Path) -> set[str]:
    """Return the modules of this package that a file imports, wherever in it that stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("twolevel."):
            found.add(str(node.module))
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("twolevel.")}
    return found


def file_of(module: str) -> str | None:
    place = module.removeprefix("twolevel.").replace(".", "/")
    return next((f for f in (f"{place}.py", f"{place}/__init__.py") if (ROOT / f).is_file()), None)


def test_every_module_counts_or_knowingly_does_not():
    everything = names(sorted(ROOT.rglob("*.py")))
    counted = {*names(sources_of_numbers()), *names(sources_of_drawing())}
    rest = [name for name in everything if name not in counted]
    assert [name for name in rest if not name.startswith(NEITHER)] == []
    assert {name.partition("/")[0] for name in rest} == {n.rstrip("/") for n in NEITHER}


def test_what_shows_numbers_does_not_count_for_them():
    numbers = names(sources_of_numbers())
    assert [n for n in numbers if n.startswith(("report/", "cli/", "simulate/"))] == []
    assert "tasks/draw.py" not in numbers
    assert {"tasks/fit_run.py", "stats/run/unit.py", "numerics/tfce.py"} < set(numbers)
    assert {"files/tables.py", "model/variables.py", "errors.py"} < set(numbers)


def test_figures_count_what_their_numbers_do_and_what_draws_them():
    drawing = set(names(sources_of_drawing()))
    assert set(names(sources_of_numbers())) < drawing
    assert {"tasks/draw.py", "report/figures.py", "report/paper.py", "report/carpet.py"} < drawing


@pytest.mark.parametrize(
    ("sources", "apart"),
    [(sources_of_numbers, ("workflow/",)), (sources_of_drawing, ())],
)
def test_nothing_is_executed_that_does_not_count(sources, apart):
    counted = set(names(sources()))
    for name in sorted(counted):
        if not name.startswith(apart):  # workflows connect steps of both kinds
            needed = {file for module in imported(ROOT / name) if (file := file_of(module))}
            assert needed <= counted, name


@pytest.mark.parametrize(
    ("changed", "numbers", "drawing"),
    [
        ("report/words.py", False, True),
        ("tasks/draw.py", False, True),
        ("stats/run/unit.py", True, True),
        ("files/nifti.py", True, True),
        ("workflow/group.py", True, True),
        ("errors.py", True, True),
        ("cli/progress.py", False, False),
        ("workflow/workers/process.py", False, False),
        ("report/templates/page.html", False, False),
    ],
)
def test_a_changed_word_counts_where_it_may_matter(
    monkeypatch, tmp_path, changed, numbers, drawing
):
    def both() -> tuple[str, str]:
        return numbers_fingerprint.__wrapped__(), drawing_fingerprint.__wrapped__()

    copy = tmp_path / "twolevel"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    original = both()
    monkeypatch.setattr(fingerprint, "ROOT", copy)
    assert both() == original
    (copy / changed).write_text((copy / changed).read_text(encoding="utf-8") + "\n# a word\n")
    after = both()
    assert (after[0] != original[0], after[1] != original[1]) == (numbers, drawing)


@pytest.mark.parametrize(
    ("library", "numbers", "drawing"),
    [
        ("numba", True, True),
        ("scikit-learn", True, True),
        ("nilearn", True, True),
        ("matplotlib", False, True),
        ("jinja2", False, False),
    ],
)
def test_another_version_of_a_library_counts_where_it_may_matter(
    monkeypatch, library, numbers, drawing
):
    def both() -> tuple[str, str]:
        return numbers_fingerprint.__wrapped__(), drawing_fingerprint.__wrapped__()

    original = both()
    monkeypatch.setattr(
        fingerprint, "version", lambda name: "0.0" if name == library else version(name)
    )
    after = both()
    assert (after[0] != original[0], after[1] != original[1]) == (numbers, drawing)
