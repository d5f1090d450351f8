# %% [markdown]
# # A torch network of your own
#
# A module goes in as it is; its scales are read off the weights, and what is read is checked to be what runs.
# %%
import torch
from widelimit.validate.network import from_torch

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(20, 256),
    torch.nn.Tanh(),
    torch.nn.Linear(256, 256),
    torch.nn.Tanh(),
    torch.nn.Linear(256, 1),
)
net = from_torch(model)
net.plot()
# %% [markdown]
# PyTorch's default initialisation is deep in the ordered phase: its weights are too small to keep signals.
# %%
print(net.phase, "chi_1 of each hidden layer:", net.chi_1)
# %% [markdown]
# The kernels of the infinitely wide network of these scales, on inputs of yours:
# %%
x = torch.randn(12, 20)
kernels = net.kernels(x)
kernels.plot()
# %% [markdown]
# At a critical initialisation, signals would stay. What to pass to `normal_`:
# %%
from widelimit.numerics import meanfield

edge = meanfield.critical_line("tanh", sigma_b=0.05)
print(f"weight.normal_(0, {edge.sigma_w:.4f} / fan_in**0.5), bias.normal_(0, 0.05)")
assert net.phase == "ordered"
