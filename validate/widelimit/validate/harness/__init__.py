"""The engine of validation.

claim, claim_checks, domains, finding, loading    what a claim is, where it holds, how it is found by name
declare, replicates    claims in short, and the loop over seeds
statistics, judging, verdicts, outcome, dataset    from replicates to verdicts
audit    would a run have caught an error: errors planted, and judged again
running, workers    cells of work, their store and executors, how workers ended
provenance    which code samples come from
requests, faults, text    what callers ask, whose fault a failure is, text from outside
drawing    weights, networks and activations in torch
falsify    the search for a counterexample
backend, seeds, inputs, copies    device and precision, seeds of cells, users' data, copies of users' modules
"""
