"""Convolutional recurrent cells in torch (arXiv:1807.00053), drawn as the theory in `numerics.recurrence` has them.

cells    `ConvBypass`: a share of the state is kept; `ReciprocalGated`: two states that gate each other's input;
         `unrolled`: a cell applied to one input for a number of steps
"""

from widelimit.validate.recurrence.cells import ConvBypass, ReciprocalGated, unrolled

__all__ = ["ConvBypass", "ReciprocalGated", "unrolled"]
