"""What a cycle keeps and loses, against matrices of one turn multiplied out in many digits."""

import numpy as np
import pytest
from mpmath import matrix, mp

from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate import cycles


def turn(gain, angle, step):
    """dh(t)/dh(0) of dh/dt = (tanh(R h) - h)/2, R = gain times a rotation, over one turn from the first axis."""
    c, s = gain * np.cos(angle), gain * np.sin(angle)
    weights = np.array([[c, -s], [s, c]])

    def field(state):
        h, tangent = state[:2], state[2:].reshape(2, 2)
        rates = np.tanh(weights @ h)
        slope = -np.eye(2) + (1 - rates**2)[:, None] * weights
        return np.r_[(-h + rates) / 2, (slope @ tangent).ravel() / 2]

    def advanced(state, by):
        a = field(state)
        b = field(state + by / 2 * a)
        c = field(state + by / 2 * b)
        return state + by / 6 * (a + 2 * b + 2 * c + field(state + by * c))

    state = np.r_[0.5, 0.0, np.eye(2).ravel()]
    for _ in range(round(90 / step)):
        state = advanced(state, step)
    turns = 0
    while True:
        after = advanced(state, step)
        if state[1] < 0 <= after[1]:
            part = step * state[1] / (state[1] - after[1])
            for _ in range(8):
                there = advanced(state, part)
                part -= there[1] / field(there)[1]
            state = advanced(state, part)
            turns += 1
            if turns == 2:
                return state[2:].reshape(2, 2)
            state[2:] = np.eye(2).ravel()
            after = advanced(state, step)
        state = after


@pytest.mark.parametrize(("gain", "angle"), [(1.5, 0.7), (1.7, 0.6)])
def test_a_direction_that_dies_fast_is_measured(gain, angle):
    found = cycles.spread({"gain": gain, "angle": angle}, 8, 1, Backend())
    with mp.workdps(40):
        power = matrix(turn(gain, angle, 1 / 64).tolist()) ** 6
        larger, smaller = mp.svd_r(power, compute_uv=False)
        expected = [float(larger), float(mp.log(smaller) / 6)]
    np.testing.assert_allclose(found, expected, rtol=3e-6)
