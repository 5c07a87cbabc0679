"""The contrasts of what wildcards of X match in the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.errors import Problem, listed
from twolevel.model.labels import contrast_label
from twolevel.model.nodes import Contrast, is_wild, matches
from twolevel.notes import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twolevel.checks.checked import CheckedTables
    from twolevel.model.nodes import Node


def found_contrasts(runs: Sequence[CheckedTables], node: Node) -> tuple[Contrast, ...]:
    """Make the contrasts of conditions that a wildcard of X matches in some run.

    Where all variables are contrasts of their own (DummyContrasts that names none), these are too:
    of each pattern in the order of X, those of conditions in the order of their names. Confounds
    have none.
    """
    if not node.dummy_contrasts or node.dummies:
        return ()
    named = {contrast.name for contrast in node.contrasts}
    found: dict[str, None] = {}
    for x in (x for x in node.x if is_wild(x)):
        conditions = {v for run in runs for v in run.variables.conditions if matches(v, x)}
        for condition in sorted(conditions - named):
            columns = (c for run in runs for c in run.variables.main_columns_of(condition))
            found.update(dict.fromkeys(columns))
    return tuple(
        Contrast(name, contrast_label(name), ((name, (1.0,)),), node.dummy_test, found=True)
        for name in found
        if name not in named
    )


def label_clashes(found: Sequence[Contrast], node: Node) -> list[Problem]:
    """Refuse contrasts found by wildcards that could not be told from others by their labels."""
    seen = {contrast.label: contrast.name for contrast in node.contrasts}
    problems = []
    for contrast in found:
        if not contrast.label or contrast.label in seen:
            problems.append(
                Problem(
                    f'contrast "{contrast.name}", which a wildcard of X matches',
                    f'the label "{contrast.label}", as of "{seen.get(contrast.label, "")}"',
                    "a label of letters and digits that no other contrast has",
                    "name the variables in X without wildcards, or rename the level in the events "
                    "(Software.twolevel.Events)",
                )
            )
        seen.setdefault(contrast.label, contrast.name)
    return problems


def notes_on_found(runs: Sequence[CheckedTables], node: Node) -> list[Note]:
    """Say which contrasts wildcards gave, of which confounds none, and which runs lack them."""
    found = found_contrasts(runs, node)
    notes = []
    if found:
        what = "DummyContrasts: contrasts of what wildcards of X match"
        notes.append(Note(what, detail=listed([contrast.name for contrast in found])))
    if node.dummy_contrasts and not node.dummies:
        wild = [x for x in node.x if is_wild(x)]
        confounds = {
            x: None
            for x in wild
            if any(matches(c, x) for run in runs for c in run.variables.per_volume)
        }
        if confounds:
            what = "DummyContrasts: no contrasts of the confounds that wildcards of X match"
            notes.append(Note(what, detail=listed(list(confounds))))
    for run in runs:
        if lacking := [c.name for c in found if not set(c.variables) <= run.variables.columns]:
            what = f"no {', '.join(lacking)}: contrasts that need it leave the run out"
            there = f"there are {', '.join(run.variables.conditions) or 'no conditions'}"
            notes.append(Note(what, run.files.name, there, loses_data=True))
    return notes
