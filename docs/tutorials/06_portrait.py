# %% [markdown]
# # The portrait of a trained GRU
#
# A GRU of two units learns to hold a sign: whether the last pulse was positive or negative. What did it build?
# %%
import torch

torch.manual_seed(3)
cell, readout = torch.nn.GRU(1, 2, batch_first=True), torch.nn.Linear(2, 1)
descent = torch.optim.Adam([*cell.parameters(), *readout.parameters()], lr=0.03)
for _ in range(250):
    pulses = torch.randint(-1, 2, (64, 20, 1)).float() * (torch.rand(64, 20, 1) < 0.3)
    wanted = torch.zeros(64, 1)
    held = []
    for t in range(20):
        wanted = torch.where(pulses[:, t] != 0, pulses[:, t], wanted)
        held.append(wanted)
    loss = ((readout(cell(pulses)[0]) - torch.stack(held, 1)) ** 2).mean()
    descent.zero_grad()
    loss.backward()
    descent.step()
print(f"loss {loss.item():.3f}")
# %% [markdown]
# Its portrait without input, complete and proved: every fixed point, what is stable, and what leads where.
# %%
from widelimit.numerics import gru

portrait = gru.portrait(cell)
portrait.plot()
# %%
sinks, sources, saddles, *_ = portrait.signature
print(f"{sinks} sinks, {sources} sources, {saddles} saddles; the list is complete: {portrait.complete}")
# %% [markdown]
# Memory of a sign needs two states at rest, at least.
# %%
assert portrait.complete and sinks >= 2
