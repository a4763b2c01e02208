"""Families that thresholds may be set on."""
