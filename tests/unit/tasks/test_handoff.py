from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import twolevel
from twolevel.bids.entities import Entities
from twolevel.derivatives.exclusions import Exclusion
from twolevel.derivatives.publish import publish
from twolevel.derivatives.records import Publication
from twolevel.files.sealed import seal
from twolevel.space.mask import Mask
from twolevel.tasks import handoff


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with everything that a step may leave for the next."""
    folder = tmp_path / "tree"
    (folder / "group").mkdir(parents=True)
    (folder / "group" / "task-x_tests.tsv").write_text("test\n")
    handoff.save_exclusions(folder, [Exclusion("voxel", "flat", count=3)])
    handoff.save_group_mask(folder, Mask.of(np.array([[[True, False]]])))
    handoff.save_row(folder, {"test": "fdr", "threshold": None})
    return folder


def test_what_was_left_is_loaded(tree):
    assert handoff.load_exclusions(tree) == [Exclusion("voxel", "flat", count=3)]
    mask = handoff.load_group_mask(tree)
    assert mask is not None
    assert mask.tolist() == [[[True, False]]]
    assert handoff.load_row(tree) == {"test": "fdr", "threshold": None}


def test_without_a_given_mask_there_is_none(tmp_path):
    assert handoff.load_group_mask(tmp_path) is None


def test_nothing_that_is_left_for_the_next_step_is_published(tree, tmp_path):
    seal(tree)
    published = publish([tree], tmp_path / "out", Publication("group", Entities(), {}))
    assert [path.name for path in published] == ["task-x_tests.tsv"]


def test_private_names_are_written_in_one_module_only():
    names = [handoff.EXCLUSIONS, handoff.FITTED, handoff.GROUP_MASK, handoff.ROW]
    written = re.compile("|".join(f'"{re.escape(name)}"' for name in names))
    sources = Path(twolevel.__file__).parent.rglob("*.py")
    assert [p.name for p in sources if written.search(p.read_text(encoding="utf-8"))] == []
