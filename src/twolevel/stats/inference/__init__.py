"""The tests: which voxels of a group map are more than noise.

Every test takes a `GroupContrast` and its own keywords, and returns a `GroupTest`.
"""
