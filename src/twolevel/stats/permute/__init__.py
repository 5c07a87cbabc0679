"""Permutation inference."""
