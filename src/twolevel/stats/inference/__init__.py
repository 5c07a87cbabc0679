"""The tests: which voxels of a group map are more than noise.

A parametric test takes a `GroupContrast`, one by relabeling a `Permuted`, each with its own
keywords; all return a `GroupTest`.
"""
