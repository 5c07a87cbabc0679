"""What is going to be done, node by node: as a table, and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from twolevel.files.atomic import write_bytes
from twolevel.report.graph import NodeCounts, draw_graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.units import Unit
    from twolevel.checks.dataset import Plan
    from twolevel.model.nodes import StatsModel


def count_units(units: Mapping[str, Sequence[Unit]]) -> dict[str, NodeCounts]:
    """Count the units of each node, and the rows of their designs."""
    counts = {}
    for name, of_node in units.items():
        rows = [len(unit.inputs) for unit in of_node]
        fewest, most = min(rows, default=0), max(rows, default=0)
        counts[name] = NodeCounts(len(rows), sum(rows), fewest, most)
    return counts


def picture_of(
    model: StatsModel, units: Mapping[str, Sequence[Unit]], path: Path | None = None
) -> str:
    """Draw a model with the units of its nodes, into a file where one is named."""
    picture = draw_graph(model, count_units(units))
    if path is not None:
        write_bytes(path, picture.encode())
    return picture


def plan_table(model: StatsModel, plan: Plan, units: Mapping[str, Sequence[Unit]]) -> str:
    """Write the plan as tables: units and rows of each node; what is left out, and why."""
    counts = count_units(units)
    of_nodes = pd.DataFrame(
        {
            "node": name,
            "level": _level(model, name),
            "units": count.n_units,
            "rows": _rows(count),
        }
        for name, count in counts.items()
    )
    left_out = list(_left_out(plan))
    tables = [of_nodes.to_string(index=False)]
    if left_out:
        tables.append(pd.DataFrame(left_out, columns=["left out", "why"]).to_string(index=False))
    return "\n\n".join(tables)


def _level(model: StatsModel, name: str) -> str:
    return next(node.level for node in model.nodes if node.name == name)


def _rows(count: NodeCounts) -> str:
    """Say how many rows the designs of a node have; those of a run are its volumes."""
    if not count.most:
        return "volumes" if count.n_units else ""
    one = f"{count.fewest} to {count.most}" if count.fewest != count.most else f"{count.most}"
    return f"{one} maps"


def _left_out(plan: Plan) -> Iterable[tuple[str, str]]:
    for subject, runs in plan.left_out_runs.items():
        for run in runs:
            named = {"sub": subject, "ses": run.session, "run": run.run}
            words = [f"{key}-{label}" for key, label in named.items() if label]
            yield " ".join([*words, *filter(None, [run.item])]), run.reason
    for subject, reason in plan.left_out.items():
        yield f"sub-{subject}", reason
