"""Torch draws of finite systems: one module per topic, and the random networks that several topics share.

Importing this package is cheap; torch is imported by the modules that compute.
"""
