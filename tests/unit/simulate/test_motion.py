from __future__ import annotations

import numpy as np
import pytest

from twolevel.simulate.motion import (
    framewise_displacement,
    root_mean_square_displacement,
    simulate_motion,
)


def test_framewise_displacement_by_hand():
    motion = np.zeros((3, 6))
    motion[1] = [0.1, -0.2, 0.0, 0.001, 0.0, -0.002]
    displacement = framewise_displacement(motion)
    assert np.isnan(displacement[0])
    np.testing.assert_allclose(displacement[1:], [0.45, 0.45], rtol=1e-12)


def test_root_mean_square_displacement_of_a_shift_and_of_a_turn():
    motion = np.zeros((3, 6))
    motion[1, :3] = [0.3, 0.0, 0.4]
    motion[2, :3] = motion[1, :3]
    motion[2, 5] = 0.01
    found = root_mean_square_displacement(motion)
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(0.5)
    # the centre of the turn is the origin: the shifted head also moves by |R t - t|
    turn = 4 * (1 - np.cos(0.01))
    moved = 0.3**2 * 2 * (1 - np.cos(0.01))
    assert found[2] == pytest.approx(np.sqrt(80**2 / 5 * turn + moved), rel=1e-6)


def test_head_moves_like_a_quiet_person_with_some_jerks():
    medians, largest = [], []
    for seed in range(50):
        motion = simulate_motion(np.random.default_rng(seed), 150)
        assert (motion[0] == 0).all()
        displacement = framewise_displacement(motion)[1:]
        medians.append(np.median(displacement))
        largest.append(displacement.max())
    assert 0.05 < np.mean(medians) < 0.15
    assert 0.3 < np.median(largest) < 1.0
    assert 0 < np.mean(np.array(largest) > 0.5) < 1
