r"""Claims whose every text is out to break a page: markup, scripts, LaTeX, controls, bidi, halves of characters."""

import numpy as np
from sympy import Eq, Symbol

from widelimit.theory import Derivation, Step
from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Plan

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \"q\" 'a' | pipe `code` [l](javascript:x) "
    "{{ 7*7 }} {% x %} $\\frac{$ \\undefined ${x} ]]> <!-- --> \x1b[31m\x00\x07\x9b \u202eevil\u202c \udc80 \ufffe "
    "\t\n\r\u2028 × 10⁻⁹ ünïcödé 漢字 🙂 שלום @team #1 a_b^c "
)


def predict(inputs):
    return np.array([2.0, 3.0, 4.0])


def simulate(inputs, size, seeds, backend):
    return np.array(
        [predict(inputs) + 0.01 * np.random.default_rng(seed).standard_normal(3) for seed in seeds]
    )


def rows(inputs):
    return [{HOSTILE: HOSTILE}, {HOSTILE: "b"}, {"n": np.int64(3)}]


def derive(inputs):
    symbol = Symbol("<script>alert(3)</script>\x1b")
    return Derivation(
        HOSTILE,
        (
            Step(
                HOSTILE,
                Eq(symbol, symbol + 1, evaluate=False),
                HOSTILE,
                HOSTILE,
                (HOSTILE,),
                kind="notation",
            ),
        ),
        (HOSTILE,),
    )


def figure(outcome, axes):
    axes.set_title(HOSTILE)


CLAIMS = [
    Claim(
        id=f"hostile.{name}",
        title=HOSTILE,
        statement=HOSTILE * 3,
        paper=HOSTILE,
        domain={HOSTILE: Choice((HOSTILE, "b"))},
        plans={"quick": Plan(({HOSTILE: HOSTILE}, {HOSTILE: "b"}), (10, 20, 40), pilot=4, most=4)},
        predict=predict,
        simulate=simulate,
        counterfactuals=(Counterfactual(HOSTILE, HOSTILE, lambda inputs: predict(inputs) * 1.5),),
        rows=rows,
        derivation=derive,
        margin=0.1,
        size_name=HOSTILE,
        quantity=HOSTILE,
        observable=HOSTILE,
        notes="x" * 10**6 + HOSTILE,
        figure=figure if name == "figure" else None,
    )
    for name in ("plain", "figure")
]
