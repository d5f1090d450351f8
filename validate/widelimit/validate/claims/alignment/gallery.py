"""Placeholder."""

GALLERY = ()
