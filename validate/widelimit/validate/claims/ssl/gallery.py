"""Figures in the manner of the papers: theory as lines, networks that learn as dots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from widelimit.validate.report.gallery import GalleryFigure

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

Arrays = Mapping[str, "np.ndarray"]

_COLOURS = ("#0072b2", "#009e73", "#d55e00", "#cc79a7")
_SPREAD = 0.5
_EXCESS = (-0.1, 0.003, 0.03, 0.3)  # eta/eta_c - 1 of the networks whose collapse is drawn
_UNTIL = 400.0
_SIGNALS, _SPREADS, _DECAY = (1.0, 0.6, 0.5), (0.5, 0.3, 1.0), 0.06  # of the features that three rules learn
_RULES = ("learned", "directpred", "directcopy")


def _phase_diagram(preset: str) -> Arrays:
    import numpy as np

    from widelimit.numerics import ssl

    decay, spread = np.linspace(0.0, 0.3, 200), np.linspace(0.0, 2.0, 200)
    grid = ssl.phase_diagram(weight_decay=decay, augmentation=spread)
    return {
        "decay": decay,
        "spread": spread,
        "predictor": np.asarray(grid["predictor"].transpose("weight_decay", "augmentation")),
        "edge": np.asarray(grid["critical_weight_decay"]),
    }


def _draw_phase_diagram(arrays: Arrays, axes: Axes) -> None:
    levels = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    lines = axes.contour(
        arrays["spread"],
        arrays["decay"],
        arrays["predictor"],
        levels=levels,
        colors="#6b6f73",
        linewidths=0.8,
    )
    axes.clabel(lines, fontsize=8, fmt=lambda level: f"{level:g}")
    axes.plot(arrays["spread"], arrays["edge"], color="#d55e00", linewidth=2)
    axes.text(1.1, 0.22, "collapse", fontsize=10)
    axes.text(0.1, 0.06, "learning", fontsize=10)
    axes.set(xlim=(0, 2), ylim=(0, 0.3), xlabel="augmentation $\\sigma^2$", ylabel="weight decay $\\eta$")


def _collapse(preset: str) -> Arrays:
    import numpy as np

    from widelimit.numerics import ssl
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.ssl.networks import Setting, State, isotropic, learn, trace

    times = np.linspace(0.0, _UNTIL, 401)
    critical = ssl.fixed_points(weight_decay=0.0, augmentation=_SPREAD).critical_weight_decay
    decays = critical * (1 + np.array(_EXCESS))
    line = ssl.trajectory(
        times, predictor=0.6, covariance=0.36, weight_decay=decays, augmentation=_SPREAD
    ).predictor
    out: dict[str, np.ndarray] = {"time": times, "theory": line, "marks": times[::20]}
    steps, dots = 8, []
    moments = isotropic(1, 4, _SPREAD, Backend())
    for decay in decays:
        eye = moments[0]
        state, seen = State(0.6 * eye, 0.6 * eye), []
        for _ in times[::20]:
            seen.append(float(trace(state.predictor)[0]))
            state = learn(state, moments, Setting(decay=float(decay)), 1 / steps, 20 * steps)
        dots.append(seen)
    return out | {"dots": np.array(dots)}


def _draw_collapse(arrays: Arrays, axes: Axes) -> None:
    for colour, excess, line, dots in zip(_COLOURS, _EXCESS, arrays["theory"], arrays["dots"], strict=True):
        axes.plot(
            arrays["time"], line, color=colour, linewidth=1.2, label=f"$\\eta/\\eta_c$ = {1 + excess:g}"
        )
        axes.plot(arrays["marks"], dots, "o", color=colour, markersize=3)
    axes.set(
        xlim=(0, _UNTIL), ylim=(0, None), xlabel="time (steps times learning rate)", ylabel="predictor $p$"
    )
    axes.legend()


def _basin(preset: str) -> Arrays:
    import numpy as np

    from widelimit.numerics import ssl

    given: dict[str, Any] = {"weight_decay": 0.04, "augmentation": _SPREAD}
    at = np.linspace(-0.1, 1.0, 221)
    out: dict[str, np.ndarray] = {"p": at, "border": np.asarray(ssl.basin(predictor=at, **given))}
    low = [(0.0, 0.003), (0.0, 0.006), (0.02, 0.0015), (0.02, 0.004)]
    starts = np.array([*low, (0.3, 2e-5), (0.3, 4e-6), (0.9, 1e-3), (0.9, 1e-6)])
    times = np.concatenate([[0.0], np.geomspace(0.05, 300, 240)])
    moves = ssl.trajectory(times, predictor=starts[:, 0], covariance=starts[:, 1], **given)
    rest = ssl.fixed_points(**given)
    points = [[rest.predictor, rest.covariance], [rest.predictor_unstable, rest.covariance_unstable]]
    return out | {"moves_p": moves.predictor, "moves_s": moves.covariance, "rest": np.array(points)}


def _draw_basin(arrays: Arrays, axes: Axes) -> None:
    for p, s in zip(arrays["moves_p"], arrays["moves_s"], strict=True):
        lives = s[-1] > 1e-2
        axes.plot(p, s, color=_COLOURS[1] if lives else _COLOURS[2], linewidth=1.0)
        axes.plot(p[0], s[0], "o", color=_COLOURS[1] if lives else _COLOURS[2], markersize=4)
    axes.plot(arrays["p"], arrays["border"], color="#6b6f73", linewidth=2, label="border of the basin")
    axes.plot(*arrays["rest"].T, "k*", markersize=8)
    axes.plot(
        arrays["p"][arrays["p"] > 0],
        arrays["p"][arrays["p"] > 0] ** 2,
        ":",
        color="#6b6f73",
        label="$s = p^2$",
    )
    axes.set(yscale="log", xlim=(-0.1, 1), ylim=(1e-7, 1), xlabel="predictor $p$", ylabel="covariance $s$")
    axes.legend(loc="lower right")


def _rules(preset: str) -> Arrays:
    import numpy as np
    import torch

    from widelimit.numerics import ssl
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.ssl.networks import Setting, State, learn, ruled

    times = np.linspace(0.0, 120.0, 241)
    given = {"signal": _SIGNALS, "augmentation": _SPREADS, "weight_decay": _DECAY}
    signal, spread = (
        torch.diag(torch.tensor(one, dtype=Backend().dtype))[None] for one in (_SIGNALS, _SPREADS)
    )
    out: dict[str, np.ndarray] = {"time": times, "marks": times[::16]}
    for rule in _RULES:
        power = {"directpred": 0.5, "directcopy": 1.0}.get(rule)
        start = 0.15 ** (1 / (power or 0.5))  # all start at the same predictor
        more = {"predictor": 0.15} if power is None else {}
        line = ssl.trajectory(times, covariance=start, rule=rule, **more, **given)
        eye = torch.eye(3, dtype=Backend().dtype)[None]
        state, seen, setting = State(start**0.5 * eye, 0.15 * eye), [], Setting(decay=_DECAY, power=power)
        for _ in times[::16]:
            predictor = state.predictor if power is None else ruled(state.online, setting)
            seen.append(torch.diagonal(predictor[0]).numpy().copy())
            state = learn(state, (signal, spread), setting, 0.05, 160)
        out |= {f"{rule} theory": line.predictor, f"{rule} dots": np.array(seen).T}
    return out


def _draw_rules(arrays: Arrays, axes: Axes) -> None:
    names = {"learned": ("-", "o"), "directpred": ("--", "s"), "directcopy": (":", "^")}
    for rule, (dashes, mark) in names.items():
        for k, colour in zip(range(3), _COLOURS, strict=False):
            label = rule if k == 0 else ""
            axes.plot(
                arrays["time"], arrays[f"{rule} theory"][k], dashes, color=colour, linewidth=1.2, label=label
            )
            axes.plot(arrays["marks"], arrays[f"{rule} dots"][k], mark, color=colour, markersize=3)
    axes.set(
        xlim=(0, 120),
        ylim=(0, None),
        xlabel="time (steps times learning rate)",
        ylabel="predictor $p$ along a feature",
    )
    axes.legend()


GALLERY = (
    GalleryFigure(
        "phase-diagram",
        "Weight decay and augmentation: learning or collapse",
        "Contours of the predictor's eigenvalue p_+; the thick line is the critical weight decay 1/(4 (1 + sigma^2)).",
        "tian2021understanding",
        _phase_diagram,
        _draw_phase_diagram,
    ),
    GalleryFigure(
        "collapse",
        "Collapse as it happens",
        "Below the critical weight decay the predictor settles; just above it training looks healthy for a long time. "
        "Lines: theory. Dots: networks of four features, steps of 1/8.",
        "tian2021understanding",
        _collapse,
        _draw_collapse,
    ),
    GalleryFigure(
        "basin",
        "Which starts survive",
        "Modes that live (green) and die (red) in the plane of predictor and covariance; stars: fixed points. The "
        "border is finite at a predictor of zero.",
        "tian2021understanding",
        _basin,
        _draw_basin,
    ),
    GalleryFigure(
        "rules",
        "Learned predictor, DirectPred, DirectCopy",
        "Three features (colours) under three rules (dashes), all from p = 0.15: x^2/(x + x_a) is 0.67, 0.4 and 0.17, "
        "4 eta = 0.24. The same features survive at the same p; DirectCopy is twice as fast, and DirectPred moves as a "
        "learned predictor does on its parabola.",
        "wang2021towards",
        _rules,
        _draw_rules,
    ),
)
