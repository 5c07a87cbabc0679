"""A model to start with, made from what a dataset holds."""
