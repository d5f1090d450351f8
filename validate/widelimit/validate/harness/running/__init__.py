"""Runs: points become cells, executors work on them, the store keeps what they return.

points, cells    what a claim predicts at a point, and the cells that measure it
predictions      what theory says at all points: asked of workers, a topic at a time
measure          pilots of all points, then what their variances ask for
executors        where cells run, and what to do when workers die
store, atomic    samples in SQLite; files whole or not at all
manifest         what it takes to repeat a run
costs            what cells cost, learnt from earlier runs
telling          who watches: stages, cells, how long is left
"""
