"""Runs: points become cells, executors work on them, the store keeps what they return."""
