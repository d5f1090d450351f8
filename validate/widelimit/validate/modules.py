"""Torch modules of architectures' layers, for users (`network.modules`)."""

from widelimit.validate.network.modules import *  # noqa: F403
