"""Linear online, target and predictor networks that learn from two views, and digits that do.

networks  gradient steps of matrices, batched over replicates; starts, data
measured  invariants, fixed points, times, commutators, features that survive
searched  thresholds: the weight decay, covariance or predictor beyond which networks collapse
digits    a two-layer encoder on images of digits
"""
