"""Drawn networks with the parts that users' modules have.

advised   training with and without advice
filters   drawn convolutions
steps     the first step of training, at two widths
transformers   small transformers that learn digits, twenty at a time
walks     dense post-activation networks with batch normalisation
widths    lengths of drawn networks, one a replicate
whole     whole networks as users write them, drawn and run
"""
