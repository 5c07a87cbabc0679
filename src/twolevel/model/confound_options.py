"""Which settings of confounds go together."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from twolevel.errors import Problem, did_you_mean
from twolevel.model.declared import declared
from twolevel.model.nodes import ENTITY_KEYS
from twolevel.model.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twolevel.model.settings import Settings

# The settings that each strategy of nilearn takes, beside the thresholds of motion.
OPTIONS = {
    "simple": ("motion", "wm_csf", "global_signal", "demean"),
    "scrubbing": ("motion", "wm_csf", "global_signal", "scrub", "demean"),
    "compcor": ("motion", "global_signal", "compcor", "n_compcor", "demean"),
    "ica_aroma": ("wm_csf", "global_signal", "demean"),
}
PLACE = re.compile(r"\{([^{}]*)\}")  # of an entity in a pattern
KEYS = {**ENTITY_KEYS, **{key: key for key in ENTITY_KEYS.values()}}


def unfit_confounds(settings: Settings, place: str = "settings: ") -> Iterator[Problem]:
    """Refuse options that the strategy does not take, and patterns that no table can fit.

    `place` is what the names of the keys follow in the messages.
    """
    if not isinstance(settings, RunSettings):
        return
    strategy = settings.confound_strategy
    own = OPTIONS.get(strategy or "", ())
    fields = {one.name: one for one in declared(RunSettings)}
    for name in sorted({name for names in OPTIONS.values() for name in names} - {*own}):
        if (value := getattr(settings, name)) == fields[name].default:
            continue
        takers = " or ".join(taker for taker, names in OPTIONS.items() if name in names)
        there = f'ConfoundStrategy "{strategy}"' if strategy else "no ConfoundStrategy"
        expected = f"options of that strategy: {', '.join(fields[n].key for n in own)}"
        yield Problem(
            f"{place}{fields[name].key}",
            f"{value}, with {there}",
            expected if own else "a strategy of which it is an option",
            f"remove it, or choose the ConfoundStrategy {takers}",
        )
    for pattern in settings.confounds:
        yield from _unfit_pattern(pattern, f"{place}Confounds")


def _unfit_pattern(pattern: str, where: str) -> Iterator[Problem]:
    """Refuse a pattern that leaves the datasets, or has a place for what is no entity."""
    expected = (
        "a pattern relative to the derivatives or to BIDS_DIR, with entities in braces: "
        "sub-{subject}/func/*_desc-ICA_mixing.tsv"
    )
    path = PurePosixPath(pattern)
    if not pattern.strip() or path.is_absolute() or ".." in path.parts:
        yield Problem(where, f'"{pattern}"', expected, "write it relative to the dataset")
    for name in PLACE.findall(pattern):
        if name not in KEYS:
            yield Problem(
                where,
                f'"{pattern}": "{name}" is no entity',
                f"entities: {', '.join(ENTITY_KEYS)}",
                did_you_mean(name, KEYS) or "correct the name in braces",
            )
    if set("{}") & set(PLACE.sub("", pattern)):
        yield Problem(where, f'"{pattern}": a brace alone', expected, "correct the braces")
