# %% [markdown]
# # A claim of one's own, and how it falls
#
# Wigner: the mean fourth moment of a symmetric Gaussian matrix with entries of variance 1/N tends to 2. A claim is a
# prediction, a simulation that knows no theory, and at least one wrong theory that the same data must reject.
# %%
from pathlib import Path

Path("semicircle.py").write_text("""
import numpy as np
from widelimit.validate.claim import Choice, declare, table, wrong


def fourth_moment(inputs, size, seed, backend):
    a = np.random.default_rng(seed).standard_normal((size, size))
    w = inputs["scale"] * (a + a.T) / np.sqrt(2 * size)
    return np.sum((w @ w) ** 2) / size


def claim(name, factor):
    return declare(
        f"semicircle.{name}",
        title="Fourth moment of the semicircle",
        statement="tr W^4 / N tends to a multiple of scale^4.",
        paper="E. Wigner, Annals of Mathematics 62, 548 (1955)",
        domain={"scale": Choice((1.0, 0.5))},
        rows=lambda scale: factor * scale**4,
        simulate=fourth_moment,
        points=table("scale", [1.0, 0.5]),
        sizes=(20, 40, 80),
        within=0.1,
        noise=1.0,
        size_name="matrix size",
        wrong=wrong("Gaussian moments", "3 for 2", lambda scale: 3 * scale**4),
    )


CLAIMS = (claim("right", 2), claim("misprint", 2.5))
""")
# %% [markdown]
# Two claims: the theorem, and a misprint of it. On the command line: `widelimit validate "semicircle.*" --claims-from
# semicircle.py`.
# %%
from widelimit.validate import run

outcome = run.validate(["semicircle.*"], claims_from=["semicircle.py"], preset="quick", out="run")
for claim in outcome.claims:
    print(f"{claim.id:22} {claim.verdict}")
# %%
right, misprint = outcome.claims
misprint.plot()
# %%
assert right.verdict == "agrees" and misprint.verdict == "disagrees"
assert all(wrong.rejected for wrong in right.counterfactuals)
right.plot()
