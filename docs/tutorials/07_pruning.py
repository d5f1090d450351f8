# %% [markdown]
# # Pruning without data
#
# How far can a network be pruned before a layer is empty? By theory first, then with masks for a module of yours.
# %%
from widelimit.numerics import pruning

limits = pruning.critical_compression([784, 300, 100, 10])
limits.plot()
# %% [markdown]
# Magnitude empties a layer at `median`; SynFlow, which needs no data, reaches one weight a layer:
# %%
print(f"magnitude, random networks: {limits.median:.0f} times; nothing exceeds {limits.maximum:.0f} times")
# %%
import torch
from widelimit.validate import pruning as masks

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(784, 300),
    torch.nn.ReLU(),
    torch.nn.Linear(300, 100),
    torch.nn.ReLU(),
    torch.nn.Linear(100, 10),
)
found = masks.synflow(model, 1000, input_shape=(784,))
found.plot()
# %%
by_size = masks.magnitude(model, 10000)
print("SynFlow at 1,000 times leaves every layer a weight:", not found.collapsed)
print("magnitude at 10,000 times does not:", by_size.collapsed)
assert not found.collapsed and by_size.collapsed
# %% [markdown]
# Why it works is a law of conservation, which holds for this module:
# %%
law = masks.conservation(model, torch.randn(5, 784))
law.plot()
