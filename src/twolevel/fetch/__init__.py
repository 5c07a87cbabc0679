"""Clones and downloads."""
