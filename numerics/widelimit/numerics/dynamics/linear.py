"""`linearize`: a cell next to a state, as eigenvalues with left and right vectors, and what an input leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.cells import Cell, read
from widelimit.numerics.dynamics.scales import periods, time_constants
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError

Array = np.ndarray


@by_value
@dataclass(frozen=True)
class Linear:
    """h' = h* + J (h - h*) + J_in x next to h*, J = right diag(eigenvalues) left.

    `eigenvalues`: largest magnitude first. `right`: eigenvectors as columns, `left` as rows, of unit product with each
    other. `jacobian` J, `input_jacobian` J_in. `residual`: |step - state|, 0 at a fixed point. `condition`: of the
    eigenvectors; where it is large, none of them means much by itself. `outputs`: how many of a state's numbers are h.
    """

    state: Array
    jacobian: Array
    input_jacobian: Array
    eigenvalues: Array
    right: Array
    left: Array
    residual: float
    condition: float
    outputs: int

    @property
    def time_constants(self) -> Array:
        """1/|log|lambda|| of every eigenvalue, in steps."""
        return time_constants(self.eigenvalues)

    @property
    def periods(self) -> Array:
        """2 pi/|arg lambda| of every eigenvalue, in steps; infinite where nothing turns."""
        return periods(self.eigenvalues)

    def input_effect(self, lag: int, readout: Any) -> Array:
        """Return w^T J^lag J_in = w^T R Lambda^lag L J_in, what inputs `lag` steps ago do to a readout now.

        Args:
            lag: 0 for the input of the step just made.
            readout: weights w of the outputs h, or of the whole state (h, c).

        Raises `ArgumentError` for a negative lag or a readout of another width.
        """
        w = arguments.vector("readout", readout)
        if w.size == self.outputs < self.state.size:
            w = np.concatenate([w, np.zeros(w.size)])
        if w.size != self.state.size:
            raise ArgumentError("readout", f"must have {self.state.size} numbers", but=f"has {w.size}")
        steps = arguments.count("lag", lag, least=0)
        with np.errstate(all="ignore"):
            effect = w @ _power(self.jacobian, steps) @ self.input_jacobian
        if not np.isfinite(effect).all():
            raise ArgumentError(
                "lag", "must leave an effect that a float holds", lag, "The state is unstable."
            )
        return np.asarray(effect)


def linearize(cell: Any, state: Any, *, inputs: Any = None) -> Linear:
    """Return a trained network linearised at a state, most often a fixed point of `fixed_points`.

    Args:
        cell: torch module or cell, dictionary of arrays, or a `cells.Cell`.
        state: h, or (h, c) of an LSTM.
        inputs: constant input, zeros if left out.

    Raises `ArgumentError` for cells that `cells.read` refuses, or a state of another width.

    >>> found = linearize({"weight_hh": [[0.5]], "weight_ih": [[2.0]]}, [0.0])
    >>> found.eigenvalues.real, found.time_constants.round(6), found.input_effect(3, [1.0])
    (array([0.5]), array([1.442695]), array([0.25]))
    """
    network: Cell = read(cell, inputs=inputs)
    here = network.states("state", state)
    if len(here) != 1 or np.ndim(state) != 1:
        raise ArgumentError("state", "must be one state", but=f"has shape {np.shape(state)}")
    h = here[0]
    jacobian = network.jacobian(h)
    values, vectors = np.linalg.eig(jacobian)
    order = np.argsort(-np.abs(values), kind="stable")
    values, vectors = values[order], vectors[:, order]
    singular = np.linalg.svd(vectors, compute_uv=False)
    condition = float(singular[0] / singular[-1]) if singular[-1] > 0 else float("inf")
    left = np.linalg.inv(vectors) if condition < 1e15 else np.linalg.pinv(vectors)
    residual = float(np.linalg.norm(network.step(h) - h))
    return Linear(
        h, jacobian, network.input_jacobian(h), values.astype(complex), vectors.astype(complex),
        left.astype(complex), residual, condition, network.size,
    )  # fmt: skip


def _power(matrix: Array, count: int) -> Array:
    """Powers by repeated squaring; all zeros once they underflow."""
    found, square = np.eye(len(matrix)), matrix
    while count:
        if count & 1:
            found = found @ square
        count >>= 1
        if count:
            square = square @ square
    return found
