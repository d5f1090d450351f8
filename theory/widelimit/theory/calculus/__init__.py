"""The engine of the symbolic floor.

activation, catalogue, pieces, powers    phi as an expression with its kinks
parsing, tracing, exact, vocabulary    text, callables and numbers from outside become expressions
budget, soundness, sampling    what reading may cost; whether an expression is a function of the real line
gaussian    expectations over Gaussians: closed forms by rules, quadrature to any digits
derivation, equations, precision, mathml    steps with reasons that check themselves; how they are set
naming, pictured    equations shown with the names of earlier steps; pictures and tables, made on the third floor
implicit    derivatives of fixed points, and of formulas along with them
layers, motion    what a random layer does to units and to curves, for checks
cells    units of recurrent cells: RNN, GRU, LSTM
ensembles    averages that owe nothing to a formula: signs summed exactly, Gauss-Hermite
lazily       rooms of a floor by attribute
"""
