"""Any torch module in, theory beside measurement out (`network.reporting`).

records      `Graph`, `Node`, `Report`, `Layer`, `Block`: what comes out
programs     `Program`: the operations that run on an example (``torch.export``)
hooks        layers seen through hooks, where a module cannot be exported
tensors      passes over large tensors, and random orders
weights      which numbers are noise, which are copies; fresh draws
states       `State`: second moments of a tensor's units over inputs and positions
walking      the walk through a program; rules stand in
views, functions, arithmetic, weighted, norms, pooling, attention
turning      rotary positions
backward     gradients back through the same walk
scattering   what masks make of single draws
measuring    what draws give
reading      `read`
layered, operations, readers   operations as layers of an architecture, whose kernels `from_torch` gives
judging      verdicts, blocks, depth scales, and the three sentences
writing, page   reports as text, JSON and one HTML page
"""
