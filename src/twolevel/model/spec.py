"""The analysis as frozen dataclasses.

The shape is that of BIDS Stats Models 1.0.0: nodes, each with variables, transformations, a model
and contrasts, joined by edges. What the standard does not hold is in a node's settings.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from typing import Any, Literal

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


def is_wild(name: str) -> bool:
    """Tell whether a variable of X is a pattern."""
    return "*" in name or "?" in name


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
    test : {"t", "F", "pass"}
    """

    name: str
    label: str
    weights: tuple[tuple[str, tuple[float, ...]], ...]
    test: Literal["t", "F", "pass"] = "t"

    @property
    def expression(self) -> str:
        """The contrast in words: ``1*face - 1*house``."""
        terms = [f"{'-' if w[0] < 0 else '+'} {abs(w[0]):g}*{name}" for name, w in self.weights]
        return " ".join(terms).removeprefix("+ ")

    @property
    def weight_of(self) -> dict[str, float]:
        """Weight by variable, of a t contrast: an F contrast has several."""
        if self.test == "F":
            raise TypeError(f'contrast "{self.name}" is an F contrast: it has rows of weights')
        return {name: weights[0] for name, weights in self.weights}

    @property
    def column_weights(self) -> dict[str, float]:
        """Weight by column of a run's design, in which the intercept is called ``constant``."""
        return {
            ("constant" if name == INTERCEPT else name): weight
            for name, weight in self.weight_of.items()
        }


@dataclass(frozen=True)
class Hrf:
    """Variables to be convolved, and with what.

    Attributes
    ----------
    model : str
        As nilearn names it: ``glover``, ``spm + derivative``, ...
    """

    variables: tuple[str, ...]
    model: str


@dataclass(frozen=True)
class Instruction:
    """One step of a transformer.

    Attributes
    ----------
    inputs : tuple of str
        Variables it works on.
    parameters : tuple of (str, value)
        Everything else, hashable.
    """

    name: str
    inputs: tuple[str, ...]
    parameters: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class RunSettings:
    """What a run node says under ``Model.Software.twolevel``.

    Attributes
    ----------
    smoothing_fwhm_mm : float
        Of the Gaussian the data are smoothed with; 0 for none.
    confound_strategy : str or None
        A strategy of nilearn's ``load_confounds_strategy``; None where X names the confounds.
    noise_model : str
        ``ols`` for independent noise, ``arN`` for an autoregressive one of order N.
    downsample : int
        Every Nth voxel along each axis is used.
    engine : {"twolevel", "nilearn"}
        What computes; ``nilearn`` is there for comparison.
    seed : int
        Of the k-means for orders of the noise above 1.
    """

    smoothing_fwhm_mm: float = 0.0
    confound_strategy: str | None = None
    noise_model: str = "ar1"
    downsample: int = 1
    engine: Literal["twolevel", "nilearn"] = "twolevel"
    seed: int = 0


@dataclass(frozen=True)
class SubjectSettings:
    """What a subject node says under ``Model.Software.twolevel``.

    Attributes
    ----------
    fixed_effects : {"mean", "precision"}
        Equal weights for the runs, or weights by inverse variance.
    first_level : {"per-run", "multi-run"}
        A model for each run and then fixed effects, or all runs in one model.
    """

    fixed_effects: Literal["mean", "precision"] = "mean"
    first_level: Literal["per-run", "multi-run"] = "per-run"


@dataclass(frozen=True)
class TestSettings:
    """A test at the group level.

    Attributes
    ----------
    test : str
        Label, as in file names.
    alpha : float or None
        Its own error rate; None for that of the group.
    height : float
        Smallest |z| of ``clusterExtent``.
    min_voxels : int
        Smallest cluster of ``clusterExtent``.
    """

    __test__ = False  # not a test case, whatever its name suggests to pytest

    test: str
    alpha: float | None = None
    height: float = 3.29
    min_voxels: int = 11


ALL_TESTS = (
    TestSettings("clusterExtent"),
    TestSettings("fdr"),
    TestSettings("fpr", alpha=0.001),
    TestSettings("bonferroni"),
    TestSettings("parametricFWE"),
    TestSettings("permutationFWE"),
    TestSettings("clusterSizeFWE"),
    TestSettings("clusterMassFWE"),
    TestSettings("tfceFWE"),
)


@dataclass(frozen=True)
class GroupSettings:
    """What a dataset node says under ``Model.Software.twolevel``.

    Attributes
    ----------
    group_input : {"effect", "t", "z"}
        Which map of the subjects goes up.
    sides : {1, 2}
        Of all tests.
    alpha : float
        Error rate of the tests that do not state their own.
    n_perm : int
        Sign flips where there are too many to use all.
    cluster_forming_p : float
        Of the permutation tests of clusters: voxels with a smaller p (of `sides`) form them.
    connectivity : {6, 18, 26}
        Neighbours of a voxel in the permutation tests.
    tail : {"gpd"} or None
        How p of the permutation tests are read in the tail: from a fitted generalised Pareto
        distribution, or as shares.
    tfce_extent_power, tfce_height_power : float
        E and H of TFCE.
    """

    group_input: Literal["effect", "t", "z"] = "effect"
    sides: Literal[1, 2] = 2
    alpha: float = 0.05
    n_perm: int = 10_000
    tests: tuple[TestSettings, ...] = ALL_TESTS
    cluster_forming_p: float = 0.001
    connectivity: Literal[6, 18, 26] = 6
    tail: Literal["gpd"] | None = None
    tfce_extent_power: float = 0.5
    tfce_height_power: float = 2.0


@dataclass(frozen=True)
class Node:
    """One level of the analysis.

    Attributes
    ----------
    level : {"run", "session", "subject", "dataset"}
    x : tuple of str
        Variables of the design, wildcards allowed; ``"1"`` is the intercept.
    instructions : tuple of Instruction
        Transformations of variables, in order.
    dummy_contrasts : bool
        Every contrast from below goes on under its own name.
    estimator : {"glm", "meta"}
    """

    name: str
    level: Level
    group_by: tuple[str, ...]
    x: tuple[str, ...]
    settings: RunSettings | SubjectSettings | GroupSettings
    instructions: tuple[Instruction, ...] = ()
    hrf: Hrf | None = None
    contrasts: tuple[Contrast, ...] = ()
    dummy_contrasts: bool = False
    estimator: Literal["glm", "meta"] = "glm"
    formula: str | None = None
    high_pass_hz: float | None = None
    low_pass_hz: float | None = None

    @property
    def run_settings(self) -> RunSettings:
        """The settings of a run node."""
        if not isinstance(self.settings, RunSettings):
            raise TypeError(f"node {self.name} is of the {self.level} level, not of the run level")
        return self.settings

    @property
    def subject_settings(self) -> SubjectSettings:
        """The settings of a subject node."""
        if not isinstance(self.settings, SubjectSettings):
            raise TypeError(
                f"node {self.name} is of the {self.level} level, not of the subject level"
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

    @property
    def factors(self) -> tuple[str, ...]:
        """Columns of the events of which each level is a variable of its own."""
        return tuple(n for step in self.instructions if step.name == "Factor" for n in step.inputs)

    @property
    def hrfs(self) -> tuple[Hrf, ...]:
        """All that is to be convolved, from the transformations and from the model."""
        steps = tuple(
            Hrf(step.inputs, str(dict(step.parameters)["Model"]))
            for step in self.instructions
            if step.name == "Convolve"
        )
        return steps + ((self.hrf,) if self.hrf else ())


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
    """

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    inputs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    description: str = ""
    overrides: tuple[tuple[str, Any], ...] = field(default=())
    scope: Scope = Scope()

    def node(self, level: Level) -> Node | None:
        """Return the node of a level, None where the model has none."""
        return next((node for node in self.nodes if node.level == level), None)

    def input_filter(self, entity: str) -> tuple[str, ...]:
        """Return the values that ``Input`` allows for an entity, empty for all."""
        return dict(self.inputs).get(entity, ())


@dataclass(frozen=True)
class Stage:
    """What a step of one level has to know of the model.

    Attributes
    ----------
    overrides : tuple of (str, value)
        Options that replaced settings of this node.
    digest : str
        Changes with everything, in this node and those below, that changes numbers.
    scope : Scope
        Of the data.
    """

    model_name: str
    node: Node
    overrides: tuple[tuple[str, Any], ...]
    digest: str
    scope: Scope = Scope()


def stage_of(model: StatsModel, level: Level) -> Stage:
    """Cut from a model what one level needs.

    A change at a higher level then leaves the results of lower ones valid.

    Parameters
    ----------
    level : {"run", "subject", "dataset"}
        The model has a node of it.
    """
    levels = [node.level for node in model.nodes]
    index = levels.index(level)
    node = model.nodes[index]
    names = {f.name for f in fields(node.settings)}
    below = repr(model.nodes[: index + 1]).encode()
    return Stage(
        model.name,
        node,
        tuple(item for item in model.overrides if item[0] in names),
        hashlib.sha256(below).hexdigest()[:16],
        model.scope,
    )


@dataclass(frozen=True)
class ContrastName:
    """A contrast as the group level names it.

    Attributes
    ----------
    name : str
        As in the model file.
    label : str
        As in file names.
    expression : str
        In words.
    """

    name: str
    label: str
    expression: str
