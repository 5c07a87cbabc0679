"""The analysis as frozen dataclasses.

The shape is that of BIDS Stats Models 1.0.0: nodes, each with variables, transformations, a model
and contrasts, joined by edges. What the standard does not hold is in a node's settings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from twolevel.model.settings import GroupSettings, RunSettings, Settings, SubjectSettings

if TYPE_CHECKING:
    from twolevel.notes import Note

Level = Literal["run", "session", "subject", "dataset"]
# Entities that Input and filter files may name, as pybids does, and their keys in file names.
ENTITY_KEYS = {
    "subject": "sub",
    "session": "ses",
    "task": "task",
    "acquisition": "acq",
    "ceagent": "ce",
    "reconstruction": "rec",
    "direction": "dir",
    "run": "run",
    "echo": "echo",
    "part": "part",
}
INTERCEPT = "1"
CONTRAST = "contrast"  # among what a node is grouped by


def entity_level(name: str) -> tuple[str, str] | None:
    """Take ``session.pre`` or ``ses-pre`` apart: the key of the entity, and its label.

    A name of an entity alone has an empty label; None for what begins with no entity.
    """
    entity, _, label = name.replace("-", ".", 1).partition(".")
    key = ENTITY_KEYS.get(entity, entity)
    return (key, label) if key in ENTITY_KEYS.values() else None


def is_wild(name: str) -> bool:
    """Tell whether a variable of X is a pattern."""
    return "*" in name or "?" in name


def matches(name: str, pattern: str) -> bool:
    """Tell whether a name fits a pattern of the standard: ``*`` and ``?`` are wild."""
    # Brackets are no wildcards in the standard, but they are in fnmatch.
    return fnmatchcase(name, pattern.replace("[", "[[]"))


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of a node's variables.

    Attributes
    ----------
    name : str
        As in the model file.
    label : str
        As in file names.
    weights : tuple of (str, tuple of float)
        Variable and its weights: one for a t contrast, one per row for an F contrast.
    test : {"t", "F"}
    found : bool
        No model names it: it is of a variable that a wildcard of X matched in the data.
    """

    name: str
    label: str
    weights: tuple[tuple[str, tuple[float, ...]], ...]
    test: Literal["t", "F"] = "t"
    found: bool = False

    @property
    def rows(self) -> tuple[dict[str, float], ...]:
        """Weight by variable: one row for a t contrast, several for an F contrast."""
        n_rows = len(self.weights[0][1])
        return tuple({name: w[row] for name, w in self.weights} for row in range(n_rows))

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables it is a sum of."""
        return tuple(name for name, _ in self.weights)

    @property
    def expression(self) -> str:
        """The contrast in words: ``1*face - 1*house``; the rows of an F contrast by semicolons."""
        return "; ".join(
            " ".join(
                f"{'-' if weight < 0 else '+'} {abs(weight):g}*{name}"
                for name, weight in row.items()
                if weight or self.test == "t"
            ).removeprefix("+ ")
            for row in self.rows
        )

    @property
    def weight_of(self) -> dict[str, float]:
        """Weight by variable, of a t contrast: an F contrast has several."""
        if self.test == "F":
            raise TypeError(f'contrast "{self.name}" is an F contrast: it has rows of weights')
        return {name: weights[0] for name, weights in self.weights}

    @property
    def column_rows(self) -> tuple[dict[str, float], ...]:
        """The rows by column of a run's design, in which the intercept is called ``constant``."""
        return tuple(
            {("constant" if name == INTERCEPT else name): weight for name, weight in row.items()}
            for row in self.rows
        )

    @property
    def column_weights(self) -> dict[str, float]:
        """Weight by column of a run's design, of a t contrast."""
        return {
            ("constant" if name == INTERCEPT else name): weight
            for name, weight in self.weight_of.items()
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a run's design that it is a sum of."""
        return tuple("constant" if name == INTERCEPT else name for name in self.variables)


@dataclass(frozen=True)
class ContrastName:
    """A contrast as the names of its maps hold it.

    Attributes
    ----------
    name : str
        As in the model file; where a node asks for a contrast of its own of what comes to it, the
        names of both.
    label : str
        As in file names.
    expression : str
        In words.
    own : str
        What the node that estimates it calls it in its design; empty for the design's first.
    test : {"t", "F"}
    """

    name: str
    label: str
    expression: str
    own: str = ""
    test: Literal["t", "F"] = "t"


@dataclass(frozen=True)
class Hrf:
    """Variables to be convolved, and with what.

    Attributes
    ----------
    model : str
        As nilearn names it: ``glover``, ``spm + derivative``, ``fir``, ...
    fir_delays : tuple of int
        Of ``fir``: volumes after the onset, a regressor for each.
    """

    variables: tuple[str, ...]
    model: str
    fir_delays: tuple[int, ...] = ()


@dataclass(frozen=True)
class Transformation:
    """One step of a transformer; all kinds of them are in `twolevel.model.transformations`."""


@dataclass(frozen=True)
class Node:
    """One level of the analysis.

    Attributes
    ----------
    level : {"run", "session", "subject", "dataset"}
    x : tuple of str
        Variables of the design, wildcards allowed; ``"1"`` is the intercept.
    instructions : tuple of Transformation
        Transformations of variables, in order.
    dummy_contrasts : bool
        Every contrast from below goes on under its own name; at the run level, every variable of X
        is a contrast.
    dummies : tuple of str
        The only ones of which this holds; empty for all.
    dummy_test : {"t", "F"}
        Of these contrasts.
    estimator : {"glm", "meta"}
    seed : int
        Of the k-means for orders of the noise above 1, at the run level; no file states it.
    """

    name: str
    level: Level
    group_by: tuple[str, ...]
    x: tuple[str, ...]
    settings: Settings
    instructions: tuple[Transformation, ...] = ()
    hrf: Hrf | None = None
    contrasts: tuple[Contrast, ...] = ()
    dummy_contrasts: bool = False
    dummies: tuple[str, ...] = ()
    dummy_test: Literal["t", "F"] = "t"
    estimator: Literal["glm", "meta"] = "glm"
    formula: str | None = None
    high_pass_hz: float | None = None
    low_pass_hz: float | None = None
    seed: int = 0

    @property
    def keys(self) -> frozenset[str]:
        """What it is grouped by: entities by their keys in file names, and `CONTRAST`."""
        return frozenset(ENTITY_KEYS.get(key, key) for key in self.group_by)

    @property
    def run_settings(self) -> RunSettings:
        """The settings of a run node."""
        if not isinstance(self.settings, RunSettings):
            raise TypeError(f"node {self.name} is of the {self.level} level, not of the run level")
        return self.settings

    @property
    def subject_settings(self) -> SubjectSettings:
        """The settings of a node over the maps of a participant: of sessions, of the subject."""
        if not isinstance(self.settings, SubjectSettings):
            raise TypeError(
                f"node {self.name} is of the {self.level} level, not over a participant's maps"
            )
        return self.settings

    @property
    def group_settings(self) -> GroupSettings:
        """The settings of a dataset node."""
        if not isinstance(self.settings, GroupSettings):
            raise TypeError(
                f"node {self.name} is of the {self.level} level, not of the dataset level"
            )
        return self.settings


@dataclass(frozen=True)
class Edge:
    """A connection: contrasts of `source` go to `destination`.

    Attributes
    ----------
    source, destination : str
        Names of nodes.
    filters : tuple of (str, tuple of str)
        Which contrasts, by entity; empty for all.
    """

    source: str
    destination: str
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Scope:
    """What part of which data maps stand for; subjects, of which there may be more, are no part.

    Attributes
    ----------
    asked : str
        What options, filter file and the model's Input asked for, by entity: a JSON object with
        sorted keys. What was found of it does not matter.
    derivatives : tuple of str
        What preprocessed the data, with versions; empty where that is not known.
    """

    asked: str = "{}"
    derivatives: tuple[str, ...] = ()

    @property
    def record(self) -> dict[str, Any]:
        """The same, as sidecars hold it."""
        return {"Asked": json.loads(self.asked), "Derivatives": list(self.derivatives)}


@dataclass(frozen=True)
class StatsModel:
    """A whole analysis.

    Attributes
    ----------
    inputs : tuple of (str, tuple of str)
        Which images, by entity (``task``, ``subject``, ``session``, ``run``).
    overrides : tuple of (str, value)
        Options of the command line that replaced what the file says.
    scope : Scope
        Of the data that it is applied to.
    notes : tuple of Note
        What was read otherwise than it is written.
    """

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    inputs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    description: str = ""
    overrides: tuple[tuple[str, Any], ...] = ()
    scope: Scope = Scope()
    notes: tuple[Note, ...] = ()

    def node(self, level: Level) -> Node | None:
        """Return the node of a level, None where the model has none."""
        return next((node for node in self.nodes if node.level == level), None)

    def input_filter(self, entity: str) -> tuple[str, ...]:
        """Return the values that ``Input`` allows for an entity, empty for all."""
        return dict(self.inputs).get(entity, ())
