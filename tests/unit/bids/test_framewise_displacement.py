from __future__ import annotations

import numpy as np

from twolevel.bids.confounds import framewise_displacement


def test_displacement_is_read_with_its_gaps(tmp_path):
    table = tmp_path / "confounds.tsv"
    table.write_text("csf\tframewise_displacement\n1\tn/a\n2\t0.25\n3\t1.5\n")
    np.testing.assert_array_equal(framewise_displacement(table), [np.nan, 0.25, 1.5])


def test_a_table_without_displacement_has_none(tmp_path):
    table = tmp_path / "confounds.tsv"
    table.write_text("csf\ttrans_x\n1\t2\n")
    assert framewise_displacement(table) is None
