"""The engine of validation.

claim, domains, finding    what a claim is, where it holds, how it is found by name
statistics, verdicts, outcome    from replicates to verdicts
running    cells of work, their store and executors
requests, faults, text    what callers ask, whose fault a failure is, text from outside
drawing    weights, networks and activations in torch
falsify    the search for a counterexample
backend, seeds, inputs    device and precision, seeds of cells, users' data
"""
