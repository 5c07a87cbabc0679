"""Parts of models, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.model.stages import Stage, stage_of

if TYPE_CHECKING:
    from twolevel.model.nodes import Level, StatsModel


def stage_at(model: StatsModel, level: Level) -> Stage:
    """Cut from a model what its first node of a level needs."""
    return stage_of(model, next(node for node in model.nodes if node.level == level))
