"""Networks that learn by one rule or another; torch is imported when one is drawn.

linear    two-layer linear networks, neurons by Oja's rule, heavy balls
banks     networks that learn digits: how well statistics tell their rules apart
"""
