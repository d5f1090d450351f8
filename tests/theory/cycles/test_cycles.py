"""The derivation of locking and diffusion holds."""

from widelimit.theory import cycles


def test_every_step_holds():
    assert all(check.passed for check in cycles.derive().check(dps=20, points=2))
