"""Which rule trained a network? From statistics that were recorded while it learned, by a bank of simulated networks.

identifying   `identify`: probabilities of the rules from a table, or that the recording lies outside the bank
recording     `record`: such a table, of a torch network of your own; imports torch
banks         `bank`: simulated networks by four rules, cached
observables   what is recorded, names of columns
training      networks in one batch; imports torch
telling       how well recordings tell rules apart
"""

from widelimit.validate.rules.banks import Bank, bank
from widelimit.validate.rules.identifying import Calibration, Identified, identify
from widelimit.validate.rules.observables import STATISTICS, columns, summaries

__all__ = ["STATISTICS", "Bank", "Calibration", "Identified", "bank", "columns", "identify", "summaries"]
