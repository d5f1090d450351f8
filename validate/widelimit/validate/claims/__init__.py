"""Claims, a room a topic; `load`, `find` and `sources` find them by name."""

from widelimit.validate.harness.finding import ALL, Source, find, load, sources

__all__ = ["ALL", "Source", "find", "load", "sources"]
