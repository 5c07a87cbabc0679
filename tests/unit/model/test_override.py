from __future__ import annotations

from dataclasses import replace

import pytest
from model_parts import stage_at

from twolevel.errors import InputError
from twolevel.model.nodes import StatsModel
from twolevel.model.override import override
from twolevel.model.read import presets, read_model
from twolevel.model.settings import GroupSettings, RunSettings


@pytest.fixture(scope="module")
def model():
    return read_model(presets()["balloon"])


@pytest.fixture(scope="module")
def two_levels(model):
    return replace(model, nodes=model.nodes[:2], edges=model.edges[:1])


def test_an_option_replaces_the_setting_of_its_node_and_is_recorded(model):
    changed = override(model, {"smoothing_fwhm_mm": 8.0, "n_perm": 5000, "sides": None})
    run, subject, group = (node.settings for node in changed.nodes)
    assert isinstance(run, RunSettings)
    assert isinstance(group, GroupSettings)
    assert run == replace(model.nodes[0].settings, smoothing_fwhm_mm=8.0)
    assert subject == model.nodes[1].settings
    assert group == replace(model.nodes[2].settings, n_perm=5000)
    assert changed.overrides == (("n_perm", 5000), ("smoothing_fwhm_mm", 8.0))


def test_an_option_of_zero_is_not_taken_for_absent(model):
    changed = override(model, {"smoothing_fwhm_mm": 0.0})
    assert changed.nodes[0].run_settings.smoothing_fwhm_mm == 0.0
    assert changed.overrides == (("smoothing_fwhm_mm", 0.0),)


def test_no_option_changes_nothing(model):
    assert override(model, {"sides": None}) == model


def test_the_model_itself_stays_as_it_was(model):
    override(model, {"sides": 1})
    assert model.nodes[2].group_settings.sides == 2


def test_alpha_applies_to_every_test_but_the_uncorrected_one(model):
    group = override(model, {"alpha": 0.01}).nodes[2].group_settings
    assert group.alpha == 0.01
    assert {t.test: t.alpha for t in group.tests} == {
        "clusterExtent": None, "fdr": None, "fpr": 0.001, "bonferroni": None,
        "parametricFWE": None, "permutationFWE": None, "clusterSizeFWE": None,
        "clusterMassFWE": None, "tfceFWE": None,
    }  # fmt: skip


def test_group_options_are_refused_where_there_is_no_group(two_levels):
    with pytest.raises(InputError) as error:
        override(two_levels, {"n_perm": 10, "alpha": 0.1, "smoothing_fwhm_mm": 3.0})
    assert [p.where for p in error.value.problems] == ["--alpha", "--n-perm"]
    assert {p.expected for p in error.value.problems} == {"a model with a Dataset node"}


def test_run_options_work_where_there_is_no_group(two_levels):
    assert override(two_levels, {"downsample": 2}).nodes[0].run_settings.downsample == 2


def digests(model: StatsModel) -> list[str]:
    return [stage_at(model, node.level).digest for node in model.nodes]


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({"smoothing_fwhm_mm": 8.0}, [False, False, False]),
        ({"downsample": 2}, [False, False, False]),
        ({"fixed_effects": "precision"}, [True, False, False]),
        ({"first_level": "multi-run"}, [True, False, False]),
        ({"n_perm": 777}, [True, True, False]),
        ({"alpha": 0.01}, [True, True, False]),
        ({"sides": 1}, [True, True, False]),
        ({"sides": 2}, [True, True, True]),
    ],
)
def test_a_digest_changes_with_settings_of_its_level_and_below_only(model, options, same):
    before, after = digests(model), digests(override(model, options))
    assert [one == other for one, other in zip(before, after, strict=True)] == same


def test_the_digest_changes_with_the_weights_of_a_contrast(model):
    run = model.nodes[0]
    first = run.contrasts[0]
    (pumps, _), *rest = first.weights
    heavier = replace(first, weights=((pumps, (2.0,)), *rest))
    changed = replace(
        model, nodes=(replace(run, contrasts=(heavier, *run.contrasts[1:])), *model.nodes[1:])
    )
    assert all(a != b for a, b in zip(digests(model), digests(changed), strict=True))


def test_a_stage_holds_the_overrides_of_its_own_node(model):
    changed = override(model, {"smoothing_fwhm_mm": 8.0, "fixed_effects": "precision", "sides": 1})
    assert stage_at(changed, "run").overrides == (("smoothing_fwhm_mm", 8.0),)
    assert stage_at(changed, "subject").overrides == (("fixed_effects", "precision"),)
    assert stage_at(changed, "dataset").overrides == (("sides", 1),)
    assert stage_at(changed, "subject").node == changed.nodes[1]


@pytest.mark.parametrize(
    ("index", "wrong", "message"),
    [
        (1, "run_settings", "node subject is of the subject level, not of the run level"),
        (
            2,
            "subject_settings",
            "node group is of the dataset level, not over a participant's maps",
        ),
        (0, "group_settings", "node run is of the run level, not of the dataset level"),
    ],
)
def test_settings_of_another_level_are_a_type_error(model, index, wrong, message):
    with pytest.raises(TypeError, match=message):
        getattr(model.nodes[index], wrong)


@pytest.mark.parametrize(
    ("index", "right"), [(0, "run_settings"), (1, "subject_settings"), (2, "group_settings")]
)
def test_settings_of_the_own_level_are_the_nodes(model, index, right):
    assert getattr(model.nodes[index], right) is model.nodes[index].settings


def test_a_node_is_found_by_its_level(model, two_levels):
    assert model.node("dataset") is model.nodes[2]
    assert two_levels.node("dataset") is None
