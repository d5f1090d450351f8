"""Is a user's classifier robust, or are its gradients masked? And the geometry of its inputs.

masking      `masking_report`: gradient attacks against stabilised, transferred and gradient-free ones, and a verdict
attacks      the attacks; smoothed: backward passes through saturated and stepped functions; surrogate: distilled twins
first_layer  what the first layer's weights say of linear attacks
fisher       `input_fisher`: the Fisher information matrix of a classifier's inputs
door         what a module, its inputs and labels have to be
"""

from widelimit.validate.robustness.first_layer import FirstLayer
from widelimit.validate.robustness.fisher import input_fisher
from widelimit.validate.robustness.masking import Attack, MaskingReport, masking_report
from widelimit.validate.robustness.smoothed import stabilised

__all__ = ["Attack", "FirstLayer", "MaskingReport", "input_fisher", "masking_report", "stabilised"]
