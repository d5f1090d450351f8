# %% [markdown]
# # A phase diagram
#
# Where do signals die out in a deep network, and where do they turn into noise? For wide networks two numbers decide:
# the standard deviations of weights and biases.
# %%
import numpy as np
from widelimit.numerics import meanfield

diagram = meanfield.phase_diagram("tanh", sigma_w=np.linspace(0.5, 3, 41), sigma_b=np.linspace(0.02, 0.5, 25))
diagram.plot()
# %% [markdown]
# The border is the edge of chaos, `chi_1 = 1`. It can be asked for directly, and whether networks stay there:
# %%
edge = meanfield.critical_line("tanh", sigma_b=np.linspace(0.02, 0.5, 13))
edge.plot()
# %% [markdown]
# One point, with what its numbers mean:
# %%
point = meanfield.solve("tanh", sigma_w=1.5, sigma_b=0.1)
point
# %%
point.plot()
# %% [markdown]
# In the chaotic phase squared gradients grow by `chi_1` a layer; two inputs come to the correlation `c_star` within a few
# `xi_c` layers:
# %%
print(f"chi_1 = {point.chi_1:.4f}, c_star = {point.c_star:.4f}, xi_c = {point.xi_c:.2f} layers")
assert point.phase == "chaotic" and edge.stable.all()
