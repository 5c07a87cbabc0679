"""Figures: reads derivatives only."""
