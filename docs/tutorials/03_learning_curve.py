# %% [markdown]
# # The learning curve of a CSV
#
# A table of measurements: how much better would ridge regression be with twice the rows, and which penalty is best? No
# cross-validation is needed: the theory reads the population off the sample. Here the file is made first.
# %%
import numpy as np

rng = np.random.default_rng(1)
x = rng.standard_normal((80, 10)) * np.linspace(2, 0.3, 10)
y = x @ np.linspace(1, 0, 10) + rng.standard_normal(80)
names = ",".join([f"x{k}" for k in range(10)] + ["y"])
np.savetxt("measurements.csv", np.column_stack([x, y]), delimiter=",", header=names, comments="")
# %% [markdown]
# The same on the command line: `widelimit predict ridge --data measurements.csv --target y --plot curve.svg`.
# %%
from widelimit.numerics import ridge

found = ridge.from_data("measurements.csv", target="y")
found.plot()
# %%
print(f"best penalty {found.penalty:.4g}, predicted test error {found.test_error:.3f}")
print("between", *(f"{end:.3f}" for end in found.test_error_interval), "with a chance of 95 per cent")
# %% [markdown]
# Fresh rows of the same population say what the fit is worth in truth:
# %%
centre = x.mean(0)
weights = np.linalg.solve(
    (x - centre).T @ (x - centre) / 80 + found.penalty * np.eye(10), (x - centre).T @ (y - y.mean()) / 80
)
fresh = rng.standard_normal((20000, 10)) * np.linspace(2, 0.3, 10)
error = np.mean(
    (fresh @ np.linspace(1, 0, 10) + rng.standard_normal(20000) - (fresh - centre) @ weights - y.mean()) ** 2
)
print(f"measured on 20,000 fresh rows: {error:.3f}")
low, high = found.test_error_interval
assert low < error < high
