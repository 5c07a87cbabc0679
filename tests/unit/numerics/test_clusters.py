from __future__ import annotations

import numpy as np

from twolevel.numerics.clusters import label_clusters


def volume(*voxels: tuple[int, int, int]):
    filled = np.zeros((5, 5, 5), bool)
    for voxel in voxels:
        filled[voxel] = True
    return filled


def test_voxels_that_share_a_face_are_one_cluster():
    labels, n_clusters = label_clusters(volume((0, 0, 0), (0, 0, 1), (0, 1, 1)), volume())
    assert n_clusters == 1
    assert int((labels == 1).sum()) == 3


def test_voxels_that_share_an_edge_or_a_corner_are_not():
    _, n_clusters = label_clusters(volume((0, 0, 0), (0, 1, 1), (1, 2, 2)), volume())
    assert n_clusters == 3


def test_signs_are_never_joined_and_negative_clusters_are_numbered_last():
    labels, n_clusters = label_clusters(
        volume((0, 0, 0), (4, 4, 4)), volume((0, 0, 1), (2, 2, 2), (2, 2, 3))
    )
    assert n_clusters == 4
    assert sorted([labels[0, 0, 0], labels[4, 4, 4]]) == [1, 2]
    assert sorted([labels[0, 0, 1], labels[2, 2, 2]]) == [3, 4]
    assert labels[2, 2, 2] == labels[2, 2, 3]


def test_nothing_gives_no_cluster():
    labels, n_clusters = label_clusters(volume(), volume())
    assert n_clusters == 0
    assert not labels.any()


def test_neighbours_share_a_face_an_edge_or_a_corner():
    volume = np.zeros((3, 3, 3), bool)
    nothing = np.zeros_like(volume)
    volume[0, 0, 0] = volume[1, 1, 0] = True
    counts = [label_clusters(volume, nothing, c)[1] for c in (6, 18, 26)]
    volume[1, 1, 0], volume[1, 1, 1] = False, True
    counts += [label_clusters(volume, nothing, c)[1] for c in (6, 18, 26)]
    assert counts == [2, 1, 1, 2, 2, 1]
