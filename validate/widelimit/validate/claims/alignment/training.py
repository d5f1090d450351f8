"""Placeholder while layers are tested."""

CLAIMS = ()
