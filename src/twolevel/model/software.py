"""What a node says under ``Model.Software.twolevel``, with its checks.

Keys are in the model file's style (``SmoothingFWHM``), fields of the settings in Python's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from twolevel.model.spec import (
    ALL_TESTS,
    GroupSettings,
    RunSettings,
    SubjectSettings,
    TestSettings,
)

Rate = Annotated[float, Field(gt=0, lt=1)]


class _Software(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)


class _Run(_Software):
    SmoothingFWHM: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    ConfoundStrategy: Literal["simple", "scrubbing", "compcor"] | None = None
    NoiseModel: Annotated[str, Field(pattern=r"^(ols|ar[1-9]\d?)$")] = "ar1"
    Downsample: Annotated[int, Field(ge=1)] = 1
    Engine: Literal["twolevel", "nilearn"] = "twolevel"

    def settings(self) -> RunSettings:
        return RunSettings(
            self.SmoothingFWHM,
            self.ConfoundStrategy,
            self.NoiseModel,
            self.Downsample,
            self.Engine,
        )


class _Subject(_Software):
    FixedEffects: Literal["mean", "precision"] = "mean"
    FirstLevel: Literal["per-run", "multi-run"] = "per-run"

    def settings(self) -> SubjectSettings:
        return SubjectSettings(self.FixedEffects, self.FirstLevel)


class _Test(_Software):
    Test: Literal[
        "clusterExtent",
        "fdr",
        "fpr",
        "bonferroni",
        "parametricFWE",
        "permutationFWE",
        "clusterSizeFWE",
        "clusterMassFWE",
        "tfceFWE",
        "permutationFDR",
    ]
    Alpha: Rate | None = None
    Height: Annotated[float, Field(gt=0)] = 3.29
    MinVoxels: Annotated[int, Field(ge=1)] = 11

    def settings(self) -> TestSettings:
        alpha = 0.001 if self.Test == "fpr" and self.Alpha is None else self.Alpha
        return TestSettings(self.Test, alpha, self.Height, self.MinVoxels)


class _Dataset(_Software):
    GroupInput: Literal["effect", "t", "z"] = "effect"
    Sides: Literal[1, 2] = 2
    Alpha: Rate = 0.05
    NPerm: Annotated[int, Field(ge=2, le=1_000_000)] = 10_000
    Tests: list[_Test] | None = None
    ClusterFormingP: Annotated[float, Field(gt=0, lt=0.5)] = 0.001
    Connectivity: Literal[6, 18, 26] = 6
    Tail: Literal["gpd"] | None = None
    TfceExtentPower: Annotated[float, Field(ge=0, le=10)] = 0.5
    TfceHeightPower: Annotated[float, Field(ge=0, le=10)] = 2.0

    @field_validator("Tests")
    @classmethod
    def _each_once(cls, tests: list[_Test] | None) -> list[_Test] | None:
        names = [test.Test for test in tests or ()]
        if len(set(names)) < len(names) or (tests is not None and not names):
            raise ValueError("at least one test, and each once: their files have one name")
        return tests

    def settings(self) -> GroupSettings:
        tests = ALL_TESTS if self.Tests is None else tuple(t.settings() for t in self.Tests)
        return GroupSettings(
            self.GroupInput,
            self.Sides,
            self.Alpha,
            self.NPerm,
            tests,
            self.ClusterFormingP,
            self.Connectivity,
            self.Tail,
            self.TfceExtentPower,
            self.TfceHeightPower,
        )


SCHEMAS: dict[str, type[_Run] | type[_Subject] | type[_Dataset]] = {
    "Run": _Run,
    "Subject": _Subject,
    "Dataset": _Dataset,
}


def keys_of(level: str) -> list[str]:
    """List the keys that ``Model.Software.twolevel`` may hold.

    Parameters
    ----------
    level : {"Run", "Subject", "Dataset"}
    """
    return list(SCHEMAS[level].model_fields)


def settings_of(
    level: str, content: dict[str, Any]
) -> RunSettings | SubjectSettings | GroupSettings:
    """Read a node's settings.

    Parameters
    ----------
    level : {"Run", "Subject", "Dataset"}
    content : dict
        What is under ``Model.Software.twolevel``; may be empty.

    Raises
    ------
    pydantic.ValidationError
        An unknown key or a value that is not allowed.
    """
    return SCHEMAS[level].model_validate(content).settings()
