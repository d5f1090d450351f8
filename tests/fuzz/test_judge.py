"""The judge's clock: it ends what does not end, and leaves numba's compiler alone."""

import importlib.util
import time
from pathlib import Path

import numpy as np
import pytest
from numba import njit

_spec = importlib.util.spec_from_file_location("fuzz_judge", Path(__file__).with_name("judge.py"))
judge = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(judge)


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(judge, "SECONDS", 0.05)


def _another(number):
    """A new function, so that it is compiled."""
    return njit(lambda a: np.sin(a) ** 2 + np.sqrt(a) + number)


def test_what_does_not_end_is_ended(brief):
    def endless():
        while True:
            pass

    assert "does not end" in judge.wrong(endless, {})


def test_the_compiler_is_not_interrupted_and_does_not_count(brief):
    def compiling():
        start, number = time.process_time(), 0
        while time.process_time() - start < 2 * judge.SECONDS:  # in sum more than the limit
            number += 1
            result = _another(number)(2.0)
        return result

    assert judge.wrong(compiling, {}) is None


def test_what_is_slow_after_compiling_is_ended(brief):
    def both():
        njit(lambda a: np.sin(a) + 1)(2.0)
        while True:
            pass

    assert "does not end" in judge.wrong(both, {})
