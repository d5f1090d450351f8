"""The theory's formulas, compiled; and what callers pass, checked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import compile
from widelimit.theory import gru as t
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
MOST = 1e6  # of a gain: beyond, its products with saturated slopes lose their digits
NEAR = 1e-5
_SIGN_HELP = "Pass the product of reset gate and rotation, g = r_0 rho."

HOPF = compile(t.hopf_angle(), (t.GAIN,), name="hopf")
TORUS = compile(t.torus_angle(), (t.GAIN, t.SHARE), name="torus")
BT_ANGLE = compile(t.bt_angle(), (t.GAIN,), name="bt_angle")
REST = compile((t.rest_gain(), t.rest_angle()), (t.SIZE, t.PHASE), name="rest")
SADDLE_NODE = compile(t.saddle_node(), (t.GAIN, t.ANGLE, t.H1, t.H2), name="saddle_node")
SNIC_CONSTANT = compile(t.snic_constant(), (t.PUSH,), name="snic_constant")
ONSET = compile(t.onset(), (t.GAIN, t.ANGLE), name="onset")
WEAK = compile(
    (t.weak_square(), t.weak_frequency(), t.weak_exponent()), (t.ONSET, t.ANGLE, t.GATE), name="weak"
)
STRONG = compile((t.sign_period(), t.sign_crossing(), t.sign_exponent()), (t.ANGLE, t.GATE), name="strong")
MAP = compile(
    (t.torus_modulus(), t.torus_rotation(), t.torus_square()), (t.GAIN, t.ANGLE, t.SHARE), name="gru_map"
)
CIRCLE = compile((t.circle_square(), t.circle_rotation()), (t.GAIN, t.ANGLE, t.SHARE), name="gru_circle")
VANILLA = compile(t.vanilla_square(), (t.GAIN,), name="vanilla_circle")
FOUR_CYCLE = compile(t.four_cycle_gain(), (t.AMPLITUDE,), name="four_cycle")
HARMONIC = compile(t.harmonic(), (t.AMPLITUDE, t.PHASE), name="harmonic")
TRACE = compile(t.trace(), (t.GAIN, t.ANGLE, t.GATE, t.H1, t.H2, t.B1, t.B2), name="gru_trace")
BT_SLOPE = compile(t.bt_slope(), (t.GAIN, t.ANGLE, t.SIGN), name="bt_slope")
BIAS = compile(t.bias(), (t.GAIN, t.ANGLE, t.H1, t.H2), name="gru_bias")
BT_COEFFICIENTS = compile(t.bt_coefficients(), (t.GAIN, t.ANGLE, t.SIGN, t.H1, t.H2), name="bt_coefficients")
VELOCITY = compile(t.velocity(), (t.GAIN, t.ANGLE, t.H1, t.H2, t.B1, t.B2), name="gru_velocity")
MAP_EIGENVALUE = compile(t.map_eigenvalue(), (t.EIGENVALUE, t.STEP), name="map_eigenvalue")


def gain(value: Any) -> Array:
    """Return checked gains: positive, from 1e-6 to 1e6, and none within 1e-5 above 1."""
    array = arguments.positive("gain", value, _SIGN_HELP)
    bad = (array > MOST) | (array < 1 / MOST)
    if bad.any():
        raise ArgumentError("gain", f"must lie between {1 / MOST:g} and {MOST:g}", float(array[bad].flat[0]))
    near = (array > 1) & (array < 1 + NEAR)
    if near.any():
        help = "Closer to the bifurcation rounding decides."
        raise ArgumentError(
            "gain", f"must not lie between 1 and 1 + {NEAR:g}", float(array[near].flat[0]), help
        )
    return array


def angle(value: Any) -> Array:
    """Return checked angles between 0 and pi/2, both excluded."""
    array = arguments.real("angle", value, "Angles are in radians.")
    bad = (array <= 0) | (array >= math.pi / 2)
    if bad.any():
        help = "Angles are in radians; the closed forms are those of a rotation by less than a quarter turn."
        raise ArgumentError("angle", "must lie between 0 and pi/2", float(array[bad].flat[0]), help)
    return array


def gate(value: Any) -> Array:
    """Return checked update gates between 0 and 1, both excluded."""
    array = arguments.real("update_gate", value)
    bad = (array <= 0) | (array >= 1)
    if bad.any():
        help = "It is the share of the old state that is kept: at 0 nothing is, at 1 nothing moves."
        raise ArgumentError("update_gate", "must lie between 0 and 1", float(array[bad].flat[0]), help)
    return array


def step(value: Any) -> Array:
    """Return checked steps, above 0 and at most 1."""
    array = arguments.real("step", value)
    bad = (array <= 0) | (array > 1)
    if bad.any():
        help = "1 is the trained network, small steps come to the differential equation."
        raise ArgumentError("step", "must be above 0 and at most 1", float(array[bad].flat[0]), help)
    return array
