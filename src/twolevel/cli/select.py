"""What the options of a command select."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.bids.layout import Selection

if TYPE_CHECKING:
    import argparse

    from twolevel.model.spec import StatsModel

__all__ = ["labels", "make_selection"]


def make_selection(
    arguments: argparse.Namespace,
    model: StatsModel | None,
    subjects: tuple[str, ...],
    space: dict[str, str] | None,
) -> Selection:
    """Put what the options select over what the model's Input selects.

    Parameters
    ----------
    arguments : argparse.Namespace
    model : StatsModel, optional
    subjects : tuple of str
        As they were chosen.
    space : dict of str to str, optional

    Returns
    -------
    Selection
    """

    def of_model(entity: str) -> tuple[str, ...]:
        return model.input_filter(entity) if model is not None else ()

    return Selection(
        subjects=subjects,
        sessions=labels(arguments.session_label, "ses-") or of_model("session"),
        tasks=(arguments.task_id.removeprefix("task-"),)
        if arguments.task_id
        else of_model("task"),
        runs=labels(arguments.run_label, "run-") or of_model("run"),
        space=space,
    )


def labels(given: list[str], prefix: str) -> tuple[str, ...]:
    """Take the key off labels that were given with it.

    Parameters
    ----------
    given : list of str
    prefix : str
        ``sub-``, ...

    Returns
    -------
    tuple of str
    """
    return tuple(label.removeprefix(prefix) for label in given)
