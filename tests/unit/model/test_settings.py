"""A setting is one field: key, bounds, default, option, help, schema and digest follow from it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any

import pytest
from annotated_types import Ge, Gt, Interval, Le
from pydantic import ValidationError

from twolevel.cli.arguments import add_options, make_options
from twolevel.cli.option_groups import ModelOptions
from twolevel.errors import InputError
from twolevel.model import settings as declarations
from twolevel.model.declared import Bounds, checker, declared, key_of, setting
from twolevel.model.nodes import Node, StatsModel
from twolevel.model.override import override
from twolevel.model.read import presets, read_model
from twolevel.model.settings import SETTINGS, RunSettings, TestSettings
from twolevel.model.stages import digest_of


@dataclass(frozen=True)
class NewSettings(RunSettings):
    """The settings of a run, and one that there was not before."""

    spike_threshold_mm: Annotated[float, Interval(gt=0, le=5)] = setting(
        0.9, "volumes that move more are left out (default: {default})", metavar="MM"
    )


def node(settings: RunSettings) -> Node:
    return Node("run", "run", ("run", "subject"), ("face",), settings)


@pytest.fixture
def parser(monkeypatch):
    monkeypatch.setitem(SETTINGS, "run", NewSettings)
    parser = argparse.ArgumentParser(prog="run")
    add_options(parser, ModelOptions)
    return parser


def test_a_new_field_has_a_key_with_its_bound_in_the_file():
    read = checker(NewSettings).validate_python
    assert read({"SpikeThresholdMm": 2}) == NewSettings(spike_threshold_mm=2.0)
    assert read({}).spike_threshold_mm == 0.9
    for wrong in (0, 5.1, "many", float("nan")):
        with pytest.raises(ValidationError):
            read({"SpikeThresholdMm": wrong})
    with pytest.raises(ValidationError):
        read({"spike_threshold_mm": 2})


def test_a_new_field_is_in_the_schema():
    schema = checker(NewSettings).json_schema()
    assert schema["additionalProperties"] is False
    assert schema["properties"]["SpikeThresholdMm"] == {
        "type": "number",
        "title": "Spikethresholdmm",
        "default": 0.9,
        "exclusiveMinimum": 0,
        "maximum": 5,
        "description": "volumes that move more are left out (default: 0.9)",
    }


def test_a_new_field_has_an_option_with_its_bound_and_help(parser, capsys):
    given = parser.parse_args(["--spike-threshold-mm", "2"])
    assert make_options(ModelOptions, given).settings == {"spike_threshold_mm": 2.0}
    assert make_options(ModelOptions, parser.parse_args([])).settings == {}
    with pytest.raises(SystemExit):
        parser.parse_args(["--spike-threshold-mm", "0"])
    said = "argument --spike-threshold-mm: 0 is not between 0 and 5, 0 excluded"
    assert capsys.readouterr().err.splitlines()[-1] == f"run: error: {said}"
    shown = " ".join(parser.format_help().split())
    assert "--spike-threshold-mm MM volumes that move more are left out (default: 0.9)" in shown


def test_a_new_field_replaces_what_the_file_says():
    model = StatsModel("m", (node(NewSettings()),), ())
    changed = override(model, {"spike_threshold_mm": 3})
    assert changed.nodes[0].settings == NewSettings(spike_threshold_mm=3.0)
    with pytest.raises(InputError) as caught:
        override(model, {"spike_threshold_mm": 9})
    (problem,) = caught.value.problems
    assert (problem.where, problem.found) == ("settings: spike_threshold_mm", "9")
    assert problem.expected == "a number, at most 5"


def test_a_new_field_leaves_the_digest_until_it_says_something():
    old = digest_of((node(RunSettings(downsample=2)),))
    assert digest_of((node(NewSettings(downsample=2)),)) == old
    assert digest_of((node(NewSettings(downsample=2, spike_threshold_mm=0.9)),)) == old
    assert digest_of((node(NewSettings(downsample=2, spike_threshold_mm=1.0)),)) != old


def every_setting() -> list[Any]:
    return [
        pytest.param(cls, one, id=f"{cls.__name__}.{one.key}")
        for cls in (*dict.fromkeys(SETTINGS.values()), TestSettings)
        for one in declared(cls)
    ]


def beside(bounds: Bounds, kind: type) -> list[tuple[Any, bool]]:
    """Return numbers on the bounds and beyond them, with whether they are allowed."""
    step = 1 if kind is int else 1e-9
    found = []
    if bounds.low is not None:
        found += [(kind(bounds.low), not bounds.low_is_excluded), (kind(bounds.low) - step, False)]
    if bounds.high is not None:
        found += [
            (kind(bounds.high), not bounds.high_is_excluded),
            (kind(bounds.high) + step, False),
        ]
    return found


@pytest.mark.parametrize(("cls", "one"), every_setting())
def test_the_option_allows_what_the_file_allows(cls, one):
    def file_allows(value: Any) -> bool:
        needed = {"Test": "fdr"} if cls is TestSettings else {}
        try:
            checker(cls).validate_python({**needed, one.key: value})
        except ValidationError:
            return False
        return True

    def option_allows(value: Any) -> bool:
        parser = argparse.ArgumentParser()
        add_options(parser, ModelOptions)
        try:
            given = parser.parse_args([one.flags[0], str(value)])
        except SystemExit:
            return False
        return make_options(ModelOptions, given).settings == {one.name: value}

    values = [(choice, True) for choice in one.choices]
    values += [("nonsense", False)] * bool(one.choices or one.kind in {int, float})
    values += [(float("nan"), False)] * (one.kind is float)
    if one.bounds is not None:
        values += beside(one.bounds, one.kind)
    for value, is_allowed in values:
        assert file_allows(value) is is_allowed, value
        if one.option is not None:
            assert option_allows(value) is is_allowed, value


@pytest.mark.parametrize(("cls", "one"), every_setting())
def test_every_setting_says_what_it_is_and_every_number_has_bounds(cls, one):
    assert one.help, cls
    assert one.bounds is not None or one.choices or one.kind not in {int, float}


def test_keys_are_derived_from_names_or_declared():
    keys = {one.name: one.key for cls in dict.fromkeys(SETTINGS.values()) for one in declared(cls)}
    assert keys["smoothing_fwhm_mm"] == "SmoothingFWHM"
    derived = {name: key for name, key in keys.items() if name != "smoothing_fwhm_mm"}
    assert derived == {name: key_of(name) for name in derived}
    assert (keys["n_perm"], keys["tfce_extent_power"]) == ("NPerm", "TfceExtentPower")


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Annotated[int, Ge(1)], "1 or more"),
        (Annotated[float, Gt(0)], "more than 0"),
        (Annotated[float, Le(100)], "100 or less"),
        (Annotated[float, Interval(gt=0, lt=1)], "between 0 and 1, both excluded"),
        (Annotated[int, Interval(ge=2, le=1_000_000)], "between 2 and 1,000,000"),
        (Annotated[float, Interval(ge=0, lt=1)] | None, "between 0 and 1, 1 excluded"),
        (tuple[Annotated[int, Ge(3)], ...], "3 or more"),
    ],
)
def test_bounds_in_words(hint, words):
    cls = type("Some", (), {"__annotations__": {"some": hint}, "some": field(default=None)})
    (one,) = declared(dataclass(cls))
    assert str(one.bounds) == words


def test_fpr_has_a_rate_of_its_own():
    assert TestSettings("fpr").alpha == declarations.FPR_ALPHA == 0.001
    assert (TestSettings("fpr", 0.01).alpha, TestSettings("fdr").alpha) == (0.01, None)


def test_a_setting_that_does_not_exist_is_told_with_the_nearest_one():
    with pytest.raises(InputError) as caught:
        override(read_model(presets()["balloon"]), {"alhpa": 0.1, "n_perms": 5, "seed": 3})
    assert [(p.where, p.found, p.remedy) for p in caught.value.problems] == [
        ("settings: alhpa", "no such setting", 'Did you mean "alpha"?'),
        ("settings: n_perms", "no such setting", 'Did you mean "n_perm"?'),
        ("settings: seed", "no such setting", "correct the spelling or leave it out"),
    ]


def test_tests_from_python_are_recorded_as_json_holds_them():
    tests = (TestSettings("fdr"), TestSettings("clusterExtent", height=2.6))
    changed = override(read_model(presets()["balloon"]), {"tests": tests})
    assert changed.nodes[2].group_settings.tests == tests
    assert dict(changed.overrides)["tests"] == [
        {"test": "fdr", "alpha": None, "height": 3.29, "min_voxels": 11},
        {"test": "clusterExtent", "alpha": None, "height": 2.6, "min_voxels": 11},
    ]
    with pytest.raises(InputError, match="at least one test, and each once"):
        override(read_model(presets()["balloon"]), {"tests": (TestSettings("fdr"),) * 2})


def changed_values() -> list[Any]:
    model = read_model(presets()["balloon"])
    found = []
    for level in model.nodes:
        settings = level.settings
        for one in declared(type(settings)):
            now = getattr(settings, one.name)
            other: Any = next((c for c in one.choices if c != now), None)
            if one.kind in {int, float} and not one.choices:
                more = (now or 0) + 1
                other = more if one.bounds is None or one.bounds.allow(more) else now / 2
            if one.kind is bool:
                other = not now
            if one.name == "confounds":
                other = ("sub-{subject}/func/*_desc-ICA_mixing.tsv",)
            if one.name == "noise_model":
                other = "ar2"
            if one.name == "tests":
                other = now[:1]
            if other is None:
                continue
            found.append(pytest.param(level, one.name, other, id=one.name))
    return found


@pytest.mark.parametrize(("level", "name", "value"), changed_values())
def test_every_setting_changes_the_digest(level, name, value):
    changed: Any = replace(level.settings, **{name: value})
    assert digest_of((replace(level, settings=changed),)) != digest_of((level,))


@pytest.mark.parametrize(
    "change",
    [
        {"x": ("1",)},
        {"name": "other"},
        {"instructions": ()},
        {"contrasts": ()},
        {"high_pass_hz": 0.01},
        {"estimator": "meta"},
        {"dummy_contrasts": True},
        {"group_by": ("run",)},
        {"seed": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_else_that_a_node_says_changes_the_digest(change):
    run = read_model(presets()["balloon"]).nodes[0]
    assert digest_of((replace(run, **change),)) != digest_of((run,))


def test_equal_numbers_have_one_digest():
    one, other = (node(RunSettings(smoothing_fwhm_mm=mm)) for mm in (5, 5.0))
    assert one == other
    assert digest_of((one,)) == digest_of((other,))


def test_the_order_of_declarations_leaves_the_digest():
    @dataclass(frozen=True)
    class Turned:
        downsample: int = 1
        smoothing_fwhm_mm: float = 0.0

    assert [f.name for f in fields(Turned)] != [f.name for f in fields(RunSettings)]
    turned: Any = Turned(2, 3.0)
    here = node(RunSettings(smoothing_fwhm_mm=3.0, downsample=2))
    assert digest_of((replace(here, settings=turned),)) == digest_of((here,))


def test_the_digest_of_the_preset_stays_as_it_is():
    assert digest_of(read_model(presets()["balloon"]).nodes) == "56cb0ec3295b67e5"


def test_literals_say_what_there_is():
    (engine,) = (one for one in declared(RunSettings) if one.name == "engine")
    assert engine.choices == ("twolevel", "nilearn")
    assert checker(RunSettings).json_schema()["properties"]["Engine"]["enum"] == [
        "twolevel",
        "nilearn",
    ]
