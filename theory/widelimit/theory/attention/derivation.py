"""`derive`: rows of softmax weights, what layers of attention do, and what blocks do in the long run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from sympy import Add, Eq, Expr, S, Symbol, simplify

from widelimit.theory.attention import blocks as b
from widelimit.theory.attention import checks, gradient_checks, layer_checks, masks
from widelimit.theory.attention import gradients as g
from widelimit.theory.attention import layer_gradients as lg
from widelimit.theory.attention import maps as m
from widelimit.theory.attention import overlaps as o
from widelimit.theory.calculus.derivation import Derivation, Step

COLLAPSE, TRAINABLE, SIGNAL = "dong2021attention", "cowsik2024geometric", "noci2022signal"
_COUNT = {o.TOKENS: (2, 3)}
_BESIDES = {o.TOKENS: (2, 2), o.FURTHER: (1, 1)}
_ROWS = {o.ROW_I: (2, 2), o.ROW_K: (3, 3)}
_SCALES = {m.SIGMA_VO: (0.8, 1.5), m.BETA: (0.5, 2.0), m.Q: (1.0, 2.0), m.P: (0.1, 0.9)}
_BACK = {**_COUNT, **_SCALES, m.G: (1.0, 2.0), m.G_CROSS: (0.1, 0.9)}
_STACK = {b.LENGTH_A: (0.5, 1.5), b.LENGTH_M: (0.5, 1.5), b.CHI_M: (0.5, 1.5)}
_AVERAGING = {
    b.ALPHA: (0.2, 0.6),
    b.LENGTH_A: (0.5, 1.5),
    b.START: (0.1, 0.5),
    b.START_MEAN: (0.5, 0.9),
    b.BLOCKS: (2, 6),
}
_ASSUMPTIONS = (
    "queries, keys, values and outputs have independent Gaussian weights; width, head dimension and the number of "
    "heads are infinite, the number of tokens is not",
)


def derive() -> Derivation:
    """Overlaps of rows as integrals, the maps of a layer forwards and backwards, masks, inputs, and stacks of blocks.

    >>> derive()["collapse"].kind
    'derived'
    """
    steps = (
        *_tokens(),
        *_rows(),
        *_heating(),
        *_layers(),
        *_moved_layers(),
        *_gradients(),
        *_masks(),
        *_inputs(),
        *_blocks(),
        *_stacks(),
    )
    return Derivation("Softmax attention at initialisation", steps, _ASSUMPTIONS)


def _named(name: str, formula: Expr) -> Eq:
    return Eq(Symbol(name), formula, evaluate=False)


def _step(name: str, shown: str, formula: Expr, because: str, **more: Any) -> Step:
    return Step(name, _named(shown, formula), because, **more)


def _tokens() -> tuple[Step, ...]:
    place = {o.PLACE: (-2.0, 1.0)}
    one = Eq(1 - o.kept().subs(o.POWER, 0), o.missed(), evaluate=False)
    steps = [
        Step("missed", one, "1 - exp(-t) = 2 h/(1 + h), h = tanh(t/2); t = e^y", domain=place),
        Step(
            "kept",
            Eq(o.kept(), (1 - o.missed()) * S.Exp1 ** (o.POWER * o.PLACE), evaluate=False),
            "t^j exp(-t) at t = e^y",
            domain={**place, o.POWER: (1, 3)},
        ),
    ]
    return tuple(steps)


def _integral(
    name: str, shown: str, formula: Any, because: str, within: bool, slope: bool, **more: Any
) -> Step:
    meaning = checks.shared_slope if slope else checks.shared_weight
    return _step(
        name,
        shown,
        formula(),
        because,
        left=partial(meaning, within=within),
        right=partial(checks.integrated, formula, within=within),
        **more,
    )


def _beside() -> Expr:
    """Integrand of S_ik where row k sees more."""
    return o.across_overlap() * o.unseen()


def _slope_beside() -> Expr:
    """Integrand of R_ik where row k sees more."""
    return o.across_slope() * o.unseen() + o.outside_slope()


def _rows() -> tuple[Step, ...]:
    why = "Z^-n = int t^n exp(-t Z) du/(n-1)!: tokens are independent under the integral; here of four logits"
    return (
        _integral("within", "dS_2/du", o.within_overlap, why, True, False, domain=_COUNT),
        _integral("across", "d2S_rho/dudv", o.across_overlap, why, False, False, domain=_COUNT),
        _integral("within-slope", "dR_2/du", o.within_slope, why, True, True, domain=_COUNT),
        _integral("across-slope", "d2R_rho/dudv", o.across_slope, why, False, True, domain=_COUNT),
        _integral(
            "masked", "d2S_ik/dudv", _beside, "the longer row sees more tokens", False, False, domain=_BESIDES
        ),
        _integral(
            "masked-slope",
            "d2R_ik/dudv",
            _slope_beside,
            "a pair of tokens that both see, and one that the longer row sees beside",
            False,
            True,
            domain=_BESIDES,
        ),
        _step(
            "growth",
            "dS_rho/drho",
            o.overlap_growth(),
            "Price: a derivative by the correlation is the mean product of slopes; here of two tokens",
            domain={o.LOGIT_STD: (0.02, 0.06), m.RHO: (0.2, 0.7)},
            left=checks.overlap_growth,
            right=partial(checks.overlap_growth, slopes=True),
        ),
        _step(
            "uniform",
            "S_ik",
            o.uniform_overlap(),
            "even weights",
            domain={o.ROW_I: (2, 5), o.ROW_K: (2, 5)},
            left=checks.uniform,
        ),
        _step(
            "uniform-slope",
            "R_ik",
            o.uniform_slope(),
            "even weights",
            domain={o.ROW_I: (2, 5), o.ROW_K: (2, 5)},
            left=partial(checks.uniform, slopes=True),
        ),
    )


def _heating() -> tuple[Step, ...]:
    logits = {o.LOGIT_STD: (0.05, 0.15), o.PLACE: (-1.0, 1.0)}
    pairs = {**logits, m.RHO: (0.2, 0.7)}
    why = "the heat equation of a Gaussian average, by derivatives of t^j exp(-t) in log t"
    found = [
        _step(
            f"heating-{j}",
            f"dm_{j}/da^2",
            g.variance_change(j),
            why,
            domain=logits,
            left=partial(gradient_checks.single_heating, power=j),
            right=partial(gradient_checks.single_heating, power=j, formula=True),
        )
        for j in range(3)
    ]
    for together, name in ((False, "row"), (True, "coupling")):
        change = g.covariance_change if together else g.row_change
        for powers in ((0, 0), (1, 0), (0, 1), (1, 1)):
            j, k = powers
            measured = partial(gradient_checks.pair_heating, powers=powers, together=together)
            found.append(
                _step(
                    f"{name}-{j}{k}",
                    f"dpsi_{j}{k}",
                    change(j, k),
                    why,
                    domain=pairs,
                    left=measured,
                    right=partial(measured, formula=True),
                )
            )
    found.append(
        _step(
            "temperature",
            "dS_2/da^2",
            gradient_checks.within_growth(),
            "Stein: half of the sum of second derivatives by logits; here of two tokens",
            domain={o.LOGIT_STD: (0.05, 0.15)},
            left=gradient_checks.temperature_growth,
            right=partial(gradient_checks.temperature_growth, formula=True),
        )
    )
    return (*found, *_heated_rows(logits, pairs), *_moved_overlaps(), *_masked_moves())


def _heated_rows(
    logits: Mapping[Symbol, tuple[float, float]], pairs: Mapping[Symbol, tuple[float, float]]
) -> Iterator[Step]:
    why = "the chain rule, over averages of one token"
    kinds = {"within": (o.within_overlap, o.within_slope), "across": (o.across_overlap, o.across_slope)}
    for row, integrands in kinds.items():
        for integrand, what in zip(integrands, ("overlap", "slope"), strict=True):
            for change in ("heating", "coupling") if row == "across" else ("heating",):
                if row == "within":
                    shown = g.within_heating(integrand())
                    measured = partial(gradient_checks.within_heating, integrand)
                else:
                    by = g.across_coupling if change == "coupling" else g.across_heating
                    shown = by(integrand())
                    measured = partial(
                        gradient_checks.across_change, integrand, together=change == "coupling"
                    )
                yield _step(
                    f"{row}-{what}-{change}",
                    f"d{what}_{row}",
                    shown,
                    why,
                    domain={**(logits if row == "within" else pairs), o.TOKENS: (2, 5)},
                    left=measured,
                    right=partial(measured, formula=True),
                )


def _moved_overlaps() -> Iterator[Step]:
    pair = {o.LOGIT_STD: (0.05, 0.15), m.RHO: (0.2, 0.7)}
    near = {o.LOGIT_STD: (0.05, 0.15), m.DISTANCE: (0.1, 0.9), o.TOKENS: (3, 6)}
    both = zip((o.LOGIT_STD, m.RHO), ("a", "rho"), (g.temperature_change, g.correlation_change), strict=True)
    for by, name, formula in both:
        yield _step(
            f"overlap-by-{name}",
            f"dS/d{name}",
            formula(),
            "variances of logits are a^2, covariances a^2 rho; here of two tokens",
            domain=pair,
            left=partial(gradient_checks.overlap_change, by=by),
            right=partial(gradient_checks.overlap_change, by=by, formula=True),
        )
    for by, name, formula in zip((o.LOGIT_STD, o.TOKENS), ("a", "T"), g.gap_changes(), strict=True):
        yield _step(
            f"gap-by-{name}",
            f"d(S_2 - S_rho)/d{name}",
            formula,
            "S_2 - S_rho = a^2 (1 - rho) R, R the mean slope over correlations from rho to 1",
            domain=near,
            left=partial(gradient_checks.gap_change, by=by),
            right=partial(gradient_checks.gap_change, by=by, formula=True),
        )


def _masked_moves() -> Iterator[Step]:
    logits = {o.LOGIT_STD: (0.05, 0.15), o.PLACE: (-1.0, 1.0), m.RHO: (0.2, 0.7)}
    for integrand, what in ((_beside, "overlap"), (_slope_beside, "slope")):
        for together, name in ((False, "heating"), (True, "coupling")):
            change = g.across_coupling if together else g.masked_heating
            measured = partial(gradient_checks.masked_change, integrand, together=together)
            yield _step(
                f"masked-{what}-{name}",
                f"d{what}_ik",
                change(integrand()),
                "the chain rule, over averages of one token, where the longer row sees more",
                domain={**logits, o.TOKENS: (2, 5), o.FURTHER: (1, 3)},
                left=measured,
                right=partial(measured, formula=True),
            )


def _moved_layers() -> tuple[Step, ...]:
    logistic = [
        _step(
            f"logistic-{order}",
            f"s^({order})",
            formula,
            "derivatives of 1/(1 + exp(-z)) by itself",
            domain={lg.SHARE: (0.2, 0.8)},
            left=partial(layer_checks.logistic_slope, order=order),
        )
        for order, formula in enumerate(lg.logistic_slopes())
    ]
    moves = dict.fromkeys((lg.MOVE_I, lg.MOVE_K, lg.MOVE_IK), (0.2, 1.0))
    entries = {**_COUNT, **_SCALES, m.THETA: (1.0, 2.0), m.THETA_CROSS: (0.1, 0.9)}
    return (
        _step(
            "weight-change",
            "dA_j",
            lg.weight_change(),
            "the slope of softmax, diag(A) - A A'; here of two tokens",
            domain={lg.WEIGHT: (0.2, 0.8), lg.LOGIT_MOVE: (-1.0, 1.0), lg.MEAN_MOVE: (-1.0, 1.0)},
            left=layer_checks.weight,
        ),
        _step(
            "root-change",
            "dL_ab",
            lg.root_change(),
            "L L = C, between two eigenvectors of C",
            domain={lg.TURNED: (0.2, 1.0), lg.ROOT_A: (0.5, 1.0), lg.ROOT_B: (1.0, 2.0)},
            left=layer_checks.root,
        ),
        *logistic,
        _step(
            "pair-change",
            "dE f h",
            lg.pair_change(),
            "Price's theorem; here of a logistic function and the square of one",
            domain={o.LOGIT_STD: (0.1, 0.15), m.RHO: (0.2, 0.7), **moves},
            left=gradient_checks.pair_change,
            right=partial(gradient_checks.pair_change, formula=True),
        ),
        _step(
            "two-token-sum",
            "c_ik",
            lg.two_token_sum(),
            "rows (s, 1 - s); here s is 0 or 1",
            domain={
                m.ENTRY: (0.1, 0.5), lg.SECOND: (0.5, 1.5), m.SPREAD: (1.0, 2.0), m.BOTH: (0.1, 0.3),
                lg.MEAN_I: (0.4, 0.6), lg.MEAN_K: (0.4, 0.6),
            },
            left=layer_checks.two_token_sum,
        ),
        _step(
            "two-token-paths",
            "r_ik",
            lg.two_token_paths(),
            "J = s (1 - s) (1, -1)' (1, -1)",
            domain={lg.BOTH_SLOPES: (0.01, 0.05), m.SPREAD: (1.0, 2.0), lg.SPREAD_OTHER: (0.5, 1.5)},
            left=layer_checks.two_token_paths,
        ),
        _step(
            "covariance-entry",
            "C'_ik",
            lg.layer_entries()[0],
            "the sum over rows of weights, for any Gram matrix; here of exchangeable tokens",
            domain=entries,
            left=checks.covariance_entry,
            right=partial(checks.layer_entry, tangent=False),
        ),
        _step(
            "tangent-entry",
            "Theta'_ik",
            lg.layer_entries()[1],
            "values and outputs give C' each, queries and keys products of slopes, and Theta comes through all",
            domain=entries,
            left=checks.tangent,
            right=partial(checks.layer_entry, tangent=True),
        ),
        _step(
            "output-change",
            "dK/dsigma_vo",
            lg.output_change(),
            "C' and Theta' are sigma_vo^2 times what does not depend on it",
            domain={m.SIGMA_VO: (0.8, 1.5), m.COVARIANCE: (0.2, 1.0)},
            left=layer_checks.output_change,
        ),
    )  # fmt: skip


def _layers() -> tuple[Step, ...]:
    return (
        _step(
            "logits",
            "a^2",
            m.logit_variance(),
            "Cov(s_ij, s_kl) = beta^2 C_ik C_jl; softmax forgets what is common to a row",
            domain={m.BETA: (0.5, 2.0), m.Q: (1.0, 2.0), m.P: (0.1, 0.9)},
            left=checks.common_logits,
        ),
        _step(
            "linear",
            "a_1",
            m.linear_scale(),
            "Q . K of independent components has the square root of d_h terms",
            domain={m.BETA: (0.5, 2.0), m.HEAD: (2, 4)},
            left=checks.linear_std,
        ),
        Step(
            "covariance",
            Eq(m.COVARIANCE, m.next_covariance(), evaluate=False),
            "sum_jl A_ij A_kl C_jl, rows of weights sum to 1",
            domain={**_SCALES, m.OVERLAP: (0.2, 0.6)},
            left=checks.mixed_values,
        ),
        _step(
            "collapse",
            "delta'",
            m.next_distance(),
            "1 - p'/q' of the two overlaps",
            domain={m.DISTANCE: (0.2, 0.8), m.GAP: (0.05, 0.2), m.S2: (0.3, 0.6)},
            kind="derived",
            by=_collapse,
        ),
        _step(
            "collapse-measured",
            "delta'",
            m.next_distance(),
            "the same by sums over two rows",
            domain={m.DISTANCE: (0.2, 0.8), m.GAP: (0.05, 0.2), m.S2: (0.3, 0.6)},
            left=checks.next_distance,
        ),
        _step(
            "cubic",
            "delta'",
            m.cubic_collapse(),
            "S_2 - S_rho is a^2 (1 - rho)(T - 1)/T^2 in weights that are nearly even, a^2 = beta^2 q^2 (1 - rho)",
            source=f"{COLLAPSE}, theorem 2.2 (the exponent)",
            domain={m.BETA: (0.5, 1.0), m.Q: (1.0, 1.5), o.TOKENS: (2, 2)},
            kind="limit",
            limit=(m.DISTANCE, 0, 1),
            left=checks.near_collapse,
        ),
        _step(
            "two-tokens",
            "C'_ik",
            m.two_tokens(),
            "weights (s, 1 - s) whose mean is a half; here s has two values",
            domain={m.SIGMA_VO: (0.8, 1.5), m.ENTRY: (0.1, 0.5), m.SPREAD: (1.0, 2.0), m.BOTH: (0.21, 0.29)},
            left=checks.two_tokens,
        ),
        _step(
            "two-logits",
            "Cov",
            m.two_token_logits(),
            "of x_i' M (x_1 - x_2) and x_k' M (x_1 - x_2)",
            domain={m.BETA: (0.5, 2.0), m.ROW: (0.1, 0.9), m.SPREAD: (1.0, 2.0)},
            left=checks.two_logits,
        ),
        _step(
            "hot",
            "C'_ik",
            m.hot_covariance(),
            "softmax to second order in logits; odd orders have no mean",
            domain={m.SIGMA_VO: (0.8, 1.5)},
            kind="limit",
            limit=(m.BETA, 0, 4),
            left=checks.hot,
            right=checks.hot_formula,
        ),
        _step(
            "tangent",
            "Theta'_ik",
            m.next_tangent(),
            "values and outputs give C' each, queries and keys products of slopes; what is below comes through all",
            domain={**_COUNT, **_SCALES, m.THETA: (1.0, 2.0), m.THETA_CROSS: (0.1, 0.9)},
            left=checks.tangent,
            right=checks.tangent_formula,
        ),
    )


def _collapse(earlier: Mapping[str, Eq]) -> Eq:
    form = earlier["covariance"].rhs.subs({m.SIGMA_VO: 1, m.Q: 1, m.P: 1 - m.DISTANCE})
    length, covariance = form.subs(m.OVERLAP, m.S2), form.subs(m.OVERLAP, m.S2 - m.GAP)
    return _named("delta'", simplify(1 - covariance / length))


def _gradients() -> tuple[Step, ...]:
    scale = m.path_scale()
    steps = [
        Step(
            "path-scale",
            Eq(Symbol("k"), scale, evaluate=False),
            "the covariance behind the layer at p = 0 and S = 1 is sigma_vo^2 q; here q - p for q, beta^2 times",
            domain=_SCALES,
            kind="derived",
            by=_path_scale,
        )
    ]
    for name, formula, way, cross in (
        ("value-gradient", m.value_gradient, "values", False),
        ("query-gradient", m.query_gradient, "queries", False),
        ("key-gradient", m.key_gradient, "keys", False),
        ("value-gradient-cross", m.value_gradient_cross, "values", True),
        ("query-gradient-cross", m.query_gradient_cross, "queries", True),
    ):
        steps.append(
            _step(
                name,
                f"G_{way}" + ("_x" if cross else ""),
                formula(),
                f"what comes through {way}, by sums over rows of weights and their slopes",
                domain=_BACK,
                left=partial(checks.path, way=way, cross=cross),
                right=partial(checks.with_rows, formula),
            )
        )
    steps.append(
        _step(
            "key-gradient-cross",
            "G_keys_x",
            m.key_gradient_cross(),
            "slopes of a row sum to 0",
            domain=_BACK,
            left=partial(checks.path, way="keys", cross=True),
            right=checks.with_keys,
        )
    )
    mean = Symbol("G_mean")
    steps.append(
        Step(
            "mean-mode",
            Eq(mean, m.SIGMA_VO**2 * (m.G + (o.TOKENS - 1) * m.G_CROSS), evaluate=False),
            "the mean over tokens of gradients through values has the factor sigma_vo^2, whatever the weights",
            domain={**_BACK, m.S2: (0.3, 0.9), m.S_RHO: (0.2, 0.3)},
            kind="derived",
            by=_mean_mode,
        )
    )
    return tuple(steps)


def _path_scale(earlier: Mapping[str, Eq]) -> Eq:
    form = earlier["covariance"].rhs.subs({m.OVERLAP: 1, m.P: 0})
    return _named("k", form.subs(m.Q, m.Q - m.P) * m.BETA**2)


def _mean_mode(earlier: Mapping[str, Eq]) -> Eq:
    one, two = earlier["value-gradient"].rhs, earlier["value-gradient-cross"].rhs
    return _named("G_mean", simplify(one + (o.TOKENS - 1) * two))


def _masks() -> tuple[Step, ...]:
    why = "tokens that both rows see are alike, and weights sum to 1"
    return tuple(
        _step(
            name,
            left,
            formula(),
            why,
            domain=_ROWS,
            left=partial(checks.token, first=0, second=second, slopes=slopes),
            right=partial(checks.with_rows, formula),
        )
        for name, left, formula, second, slopes in (
            ("same-token", "A_im A_km", masks.same_token, 0, False),
            ("other-token", "A_im A_kn", masks.other_token, 1, False),
            ("later-token", "A_im A_kx", masks.later_token, 2, False),
            ("same-slope", "J_mm", masks.same_slope, 0, True),
            ("other-slope", "J_mn", masks.other_slope, 1, True),
        )
    )


def _inputs() -> tuple[Step, ...]:
    return (
        _step(
            "embedding",
            "C_ij",
            m.embedded(),
            "words and positions have independent random vectors",
            domain={m.SIGMA_E: (0.5, 1.5), m.SIGMA_P: (0.5, 1.5), m.SAME: (0, 1), m.HERE: (0, 1)},
            left=checks.embedding,
        ),
        _step(
            "rotary",
            "F",
            Add(*(part * part.subs(m.ANGLE, checks.OTHER_ANGLE) for part in m.turned_parts())),
            "q'R(u) k is linear in k, whose components are independent: what is left is the trace of R(u)'R(v)",
            domain={m.ANGLE: (-2.0, 2.0), checks.OTHER_ANGLE: (-2.0, 2.0)},
            left=checks.turned,
        ),
        _step(
            "zipf",
            "sum f^2",
            m.zipf_overlap(),
            "harmonic sums (Euler and Maclaurin)",
            kind="limit",
            limit=(m.VOCABULARY, S.Infinity, 3),
            left=checks.zipf,
        ),
    )


def _blocks() -> tuple[Step, ...]:
    moments = {b.SKIP: (0.5, 1.0), b.OLD: (0.2, 0.9), b.NEW: (0.2, 0.9)}
    hidden = {b.SIGMA_2: (0.8, 1.5), b.DUAL: (0.5, 1.5)}
    slopes = {**hidden, b.SIGMA_1: (0.8, 1.5), b.DUAL_SLOPE: (0.5, 1.5)}
    gated = {b.SIGMA_3: (0.8, 1.5), b.COVARIANCE: (0.5, 1.5)}
    return (
        _step(
            "skip",
            "X'",
            b.residual_sum(),
            "stream and branch are uncorrelated",
            domain=moments,
            left=checks.beside,
        ),
        _step(
            "norm",
            "X'",
            b.normalised(),
            "a norm divides by the length",
            source="xiong2020layer, section 3",
            domain={**moments, b.OLD_LENGTH: (1.0, 2.0), b.NEW_LENGTH: (1.0, 2.0)},
            left=partial(checks.beside, normed=True),
        ),
        _step(
            "pre-gradient",
            "G'",
            b.pre_gradient(),
            "the norm's slope is 1/sqrt q but for one direction of many",
            domain={**moments, m.Q: (1.0, 3.0)},
            left=checks.through_norm,
        ),
        *(
            _step(
                name,
                left,
                formula(),
                "mean over signs of all weights",
                domain=domain,
                left=partial(checks.layer_of_signs, gate=gate, back=back),
            )
            for name, left, formula, domain, gate, back in (
                ("mlp", "K'", b.mlp_covariance, hidden, False, False),
                ("mlp-slope", "chi", b.mlp_slope, slopes, False, True),
                ("gated", "K'", b.gated_covariance, {**hidden, **gated}, True, False),
                ("gated-slope", "chi", b.gated_slope, {**slopes, **gated}, True, True),
            )
        ),
    )


def _stacks() -> tuple[Step, ...]:
    post = {**_STACK, b.SKIP: (0.5, 1.0)}
    deep = {"kind": "limit", "limit": (b.BLOCKS, S.Infinity, 1), "domain": _STACK}
    return (
        _step(
            "post-angle",
            "lambda",
            b.post_angle(),
            "attention adds equally to lengths and covariances of nearly equal tokens",
            source=f"{TRAINABLE}, the angle exponent",
            domain=post,
            left=checks.post_step,
        ),
        _step(
            "post-gradient",
            "lambda_g",
            b.post_gradient_mean(),
            "even weights keep the mean over tokens of gradients",
            source=f"{TRAINABLE}, the gradient exponent",
            domain=post,
            left=checks.post_gradient_step,
        ),
        _step(
            "pre-power",
            "s",
            b.pre_power(),
            "lengths grow by v_A + v_M a block, q - p by chi_M (1 - rho)",
            left=partial(checks.pre_step, way="distance"),
            **deep,
        ),
        _step(
            "pre-gradient-mean",
            "s_mean",
            b.pre_gradient_mean(),
            "both branches divide by the length",
            left=partial(checks.pre_step, way="mean"),
            **deep,
        ),
        _step(
            "pre-gradient-difference",
            "s_difference",
            b.pre_gradient_difference(),
            "attention passes no difference between equal tokens",
            left=partial(checks.pre_step, way="difference"),
            **deep,
        ),
        _step(
            "averaging",
            "p_L",
            b.uniform_growth(),
            "every layer adds alpha^2 v_A times the mean to lengths and covariances",
            source=f"{SIGNAL}, section 3",
            domain={
                b.ALPHA: (0.2, 0.6),
                b.LENGTH_A: (0.5, 1.5),
                b.START: (0.1, 0.5),
                b.START_MEAN: (0.5, 0.9),
                b.BLOCKS: (2, 6),
            },
            left=checks.averaging_stack,
        ),
    )
