# %% [markdown]
# # Denoising a covariance matrix
#
# With 100 variables and 300 samples the sample covariance is mostly noise. Which components are real, how large are they
# in truth, and what does that make of the matrix?
# %%
import numpy as np
from widelimit.numerics import spectra

rng = np.random.default_rng(0)
true = np.ones(100)
true[:3] = 12.0, 6.0, 3.0
data = rng.standard_normal((300, 100)) * np.sqrt(true)
found = spectra.fit(data)
found.plot()
# %%
print("components above the noise:", found.components)
print("as they appear:", found.outliers.round(2))
print("in truth:      ", found.spikes.round(2), "+-", found.spike_errors.round(2))
# %% [markdown]
# The whole matrix at once, every eigenvalue moved to where it does best, with the risk that is predicted for it:
# %%
spectra.clean(data, method="nonlinear").plot()
# %% [markdown]
# The same by hand, for the components alone. A sample's eigenvectors point off the population's, by a squared cosine that is known. What should be kept of a
# component is therefore less than its eigenvalue: `overlap * spike + (1 - overlap) * noise`.
# %%
values, vectors = np.linalg.eigh(np.cov(data.T))
kept = np.full(100, found.noise)
kept[::-1][: found.components] = found.overlaps * found.spikes + (1 - found.overlaps) * found.noise
cleaned = vectors * kept @ vectors.T
optimal = spectra.clean(data, method="nonlinear").covariance
for name, matrix in (("sample covariance", np.cov(data.T)), ("by hand", cleaned), ("nonlinear", optimal)):
    print(f"{name:18} squared distance to the truth: {((matrix - np.diag(true)) ** 2).sum():.2f}")
assert ((cleaned - np.diag(true)) ** 2).sum() < ((np.cov(data.T) - np.diag(true)) ** 2).sum() / 3
