"""Units of several positions in one vector: of one Gaussian law only where positions are alike."""

import numpy as np
import pytest

from widelimit.numerics.architecture import kernels
from widelimit.theory.architecture import Act, Architecture, BatchNorm, Convolution, Dense, Flatten
from widelimit.theory.errors import DomainError

ONE_LARGE = np.zeros((2, 2, 4))
ONE_LARGE[:, :, 0] = [[3.0, 4.0], [1.0, -2.0]]
ALIKE = np.ones((2, 2, 4)) * np.array([[[1.0], [2.0]], [[3.0], [-1.0]]])


def net(*between):
    return Architecture((Convolution(1, 1.3, 0.1), *between, Dense(1.5)))


@pytest.mark.parametrize("layer", [Act.of("tanh"), BatchNorm()])
def test_an_activation_of_units_of_several_variances_is_refused(layer):
    """Taken for one law, tanh has a kernel of 1.14 where finite networks have .35."""
    with pytest.raises(DomainError, match="its inputs are not Gaussian"):
        kernels(net(Flatten(), layer), ONE_LARGE)


def test_positions_that_are_alike_stay_gaussian():
    after, before = (
        kernels(net(*order), ALIKE) for order in ((Flatten(), Act.of("tanh")), (Act.of("tanh"), Flatten()))
    )
    assert np.allclose(after.nngp, before.nngp, rtol=1e-12) and np.allclose(after.ntk, before.ntk, rtol=1e-12)
