# %% [markdown]
# # The Jacobian of an activation of your own
#
# Deep networks learn fast where the singular values of the input-output Jacobian are near one. What does an activation
# that you wrote down yesterday do to them? Text is parsed, not evaluated; anything with finite Gaussian moments will do.
# %%
from widelimit.numerics import jacobian, meanfield

mine = "tanh(x) + 0.1*x"
edge = meanfield.critical_line(mine, sigma_b=0.1)
print(f"critical at sigma_w = {edge.sigma_w:.4f}, stable: {edge.stable}")
# %% [markdown]
# The law of the squared singular values at depth 8, orthogonal weights. As singular values:
# %%
law = jacobian.spectrum(mine, sigma_w=edge.sigma_w, sigma_b=0.1, depth=8, weights="orthogonal")
law.plot(singular=True)
# %%
law
# %% [markdown]
# On the edge the mean square is one at any depth; what grows is the spread, and the largest value with it:
# %%
for depth in (2, 8, 32):
    law = jacobian.spectrum(mine, sigma_w=edge.sigma_w, sigma_b=0.1, depth=depth, weights="orthogonal")
    print(f"depth {depth:2}: mean {law.mean:.6f}, variance {law.variance:.4f}, largest {law.largest:.4f}")
    assert abs(law.mean - 1) < 1e-6
