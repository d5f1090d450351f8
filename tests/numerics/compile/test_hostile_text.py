"""Text that writes a file, handed to every argument of every public function: no file appears, and a sentence does."""

import importlib
import inspect

import pytest
import sympy

from widelimit.theory import architecture
from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import CATALOGUE, Activation
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.errors import WidelimitError
from widelimit.theory.freeprob import Law, semicircle
from widelimit.theory.topics import TOPICS

x = sympy.Symbol("x", real=True)
VALID = {  # an argument that is right, so that the next one is reached
    "activation": "relu", "sigma_w": 1.0, "sigma_b": 0.1, "sigma_v": 1.0, "q": 1.0, "q0": 1.0, "c": 0.5, "depth": 2,
    "eigenvalues": [1.0, 0.5], "weights": None, "signal": [1.0, 1.0], "noise": 0.1, "sample_ratio": 0.5, "penalty": 0.1,
    "ratio": 0.5, "rate": 0.5, "p": 0.5, "factors": 2, "atoms": [(1, 1)], "t": 1, "ratios": [1, 2], "k": 2, "order": 2,
    "kind": "smooth", "lengths": [1], "activations": ["relu"], "f": x, "expr": x, "size": 3, "v": (1,), "n": 3,
    "slope": sympy.Rational(1, 2), "term": x, "expression": x, "x1": [[1.0, 0.0]], "x_train": [[1.0, 0.0]],
    "y_train": [1.0], "x_test": [[0.0, 1.0]],
    "widths": [2, 4, 1], "input_moment": 1.0, "width": 10, "start": [1.0, 0.0],
    "end": [0.0, 1.0], "s0_squared": 0.3, "strength": 0.3, "S": None, "R": None, "feature_ratio": 0.5, "x": [0.5],
    "s1": 1, "p1": sympy.Rational(1, 2), "s2": sympy.Rational(1, 9), "p2": sympy.Rational(1, 2), "X": [[1.0], [2.0]],
    "first": semicircle(), "second": semicircle(), "law": semicircle(), "kept": 0.5, "exponent": 2, "samples": 2,
    "ntk": [[1.0]], "nngp": [[1.0]], "targets": [1.0], "input_overlap": 0.5, "outputs": 1, "value": [[1.0]],
    "signal_exponent": 2.5, "z": 50.0, "m": 0.5, "zeta": 2.0,
    "rule": "information", "backward": [[1.0]], "steps": 1, "singular_values": 1.0, "cosines": [0.5], "alpha": 1.0,
    "beta": 1.0, "learning_rate": 0.1, "decay": 0.1, "initial": 1.0, "fan_in": 2, "fan_out": 2, "error": 1.0,
}  # fmt: skip
ONE, PLANE = [[1.0]], [[0.5, 0.1], [0.0, 0.4]]
PLANE_SQUARE = [[1.0, 0.1], [0.1, 1.0]]
VALID_IN = {  # the same where a name means something else in a topic
    "recurrence": {
        "keep": 0.5, "hidden": 1.0, "cell_to_hidden": 1.0, "hidden_to_cell": 1.0, "cell": 1.0,
    },
    "ssl": {
        "predictor": 0.1, "weight_decay": 0.04, "augmentation": 0.5, "signal": 1.0, "epsilon": 0.1, "ema_rate": 0.4,
        "start": 0.1, "stop": 0.3, "t": 1.0, "covariance": 0.1,
        "view1": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "view2": [[1.0, 0.1], [0.1, 1.0], [1.0, 0.9]],
    },
    "representation": {
        "powers": [1.0, 0.5], "first": PLANE, "second": PLANE, "stimuli": 10, "dimension": 3, "degrees": [0, 1],
        "weights": [1.0, 2.0], "mean": [0.1, 0.2], "deviation": 1.0, "rank": 3, "variance": 2.0, "aspect": 0.5,
        "cross_validated": 1.0, "activation": "relu", "eigenvalues": [1.0, 0.5], "exponent": 2.0,
    },
    "pruning": {"counts": [2, 3], "kept": 2, "widths": [4, 4, 2], "compression": 2.0},
    "synapses": {
        "hessian": ONE, "displacement": [1.0], "parameter": 0, "curvature": 1.0, "noise": 0.1, "steps": 3,
        "learning_rate": 0.1, "aspect": 0.5, "strength": 1.0, "hessians": [ONE], "optima": [[1.0]],
        "hessian_a": ONE, "optimum_a": [1.0], "hessian_b": ONE, "optimum_b": [0.0], "importance": [1.0],
        "x_a": PLANE, "y_a": [1.0, 2.0], "x_b": PLANE, "y_b": [1.0, 2.0],
    },
    "walkback": {
        "transition": [[0.5]], "noise": ONE, "data": ONE, "prior": ONE, "temperatures": [1.0], "drift": ONE,
        "diffusion": ONE, "matrix": [[0.5, 0.5], [0.5, 0.5]], "contraction": 0.5,
        "factor": 1.5, "ratio": 2.0, "gap": 0.1,
    },
    "rules": {
        "rule": "sgd", "t": 1.0, "strength": 1.0, "start": 0.1, "feedback": None, "share": 0.5, "damping": 0.1,
        "steps": 2, "gradient": 1.0, "covariance": ONE, "curvature": 1.0, "learning_rate": 0.1, "momentum": 0.5,
        "difference": 1.0, "noise": 1.0, "units": 2, "accuracies": [0.6, 0.7], "kurtosis": 3.0, "entries": 2,
    },
    "robustness": {
        "name": "student",
        "weights": [[1.0], [1.0]], "mean": [1.0], "radius": 0.1, "input_std": 1.0, "shape": None, "inputs": 5,
        "margin": 1.0, "probabilities": [0.5, 0.5], "shift": [0.1, 0.2], "law": "gaussian", "activation": "tanh",
    },
    "attention": {
        "logit_std": 1.0, "tokens": 4, "correlation": 0.2, "C": [[1.0, 0.2], [0.2, 1.0]], "G": [[1.0, 0.0], [0.0, 1.0]],
        "sigma_qk": 1.0, "sigma_vo": 1.0, "block": None, "blocks": 1, "rho0": 0.2, "ids": [0, 1], "sigma_e": 1.0,
        "vocabulary": 10, "layers": 2, "weight": 0.5, "activation": "tanh", "sigma_1": 1.0, "sigma_2": 1.0,
        "norm": "pre",
    },
    "coding": {"balance": 4.0, "delay": 0.1, "noise": 0.5, "signal": 0.1, "times": 1.0, "activation": "tanh"},
    "dynamics": {
        "step": 0.5, "overlap": 2.0,
        "g": 1.5, "cell": {"weight_hh": [[2.0]]}, "starts": [[0.5]], "state": [0.0], "samples": 10, "p": 2, "q": 3,
        "x": PLANE, "y": PLANE, "task_steps": 3, "found": None,
    },
    "retina": {
        "activation": "exp(x)", "gain": 1.0, "dimensions": 3, "samples": 10, "noise": 1.0, "input_std": 1.0,
        "drive": 1.0, "weights": [1.0, 2.0], "filters": PLANE, "covariance": PLANE_SQUARE, "thresholds": 0.0,
        "stimulus": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "response": [1.0, 0.0, 2.0], "ridge": 0.1, "lags": 1,
        "trials": [[1.0, 0.0, 2.0], [1.0, 1.0, 2.0]], "prediction": [1.0, 0.0, 2.0], "contrast": 1.0,
        "feedback": 1.0, "threshold": 0.1, "tau": 1.0, "width": 1.0, "order": 1, "depth": 3,
    },
    "spiking": {
        "first": [0.1], "second": [0.2], "trains": [[0.1], [0.2]], "rate_a": 1.0, "rate_b": 2.0, "jitter": 0.001,
        "loss_per_spike": 1e-9, "lag": 0.01, "drive": 15.0, "threshold": 10.0, "tau": 0.01, "name": "box", "slope": 1.0,
        "potentials": [0.1], "weights": [1.0], "weight": 1e4, "target": 0.01,
    },
    "shaping": {"depth": 20, "activation": "tanh"},
    "convolution": {"positions": 8, "filter_size": 3, "spread": 5.0, "taps": 9},
    "network": {"activation": "relu", "width": 10},
    "residual": {"blocks": 3, "branches": 4, "layers": 2},
    "gru": {"gain": 2.0, "angle": 0.5, "bias_2": -0.16, "bracket": (-1.1, -1.0), "cell": {"weight_hh": ONE}},
    "cycles": {
        "cell": {"weight_hh": [[1.5, -1.0], [1.0, 1.5]]}, "start": [0.5, 0.0], "direction": [1.0, 0.0], "noise": 0.1,
        "cycle": None, "growth": 1.0, "frequency": 2.0, "shear": 0.5, "strength": 0.1, "detuning": 0.0, "coupling": 1.0,
    },
    "spectra": {"beta": 1, "side": 1, "eigenvalues": [3.0, 2.0, 1.0], "samples": 9, "spike": 3.0, "level": 0.01},
}  # fmt: skip
WORDS = {
    "name",
    "result",
    "path",
    "out",
    "data",
    "target",
    "method",
    "padding",
}  # arguments that are text by right
RECORDS = {"run", "given", "found"}  # results of another function of ours
INNER = {
    "numerics.fisher.blocks",
    "numerics.fisher.statistics",
    "numerics.kernel.diagonalise",
    "numerics.kernel.inputs",
}  # take arrays that a solver has made


def functions():
    """Every function that a topic's room gives out, on both floors that compute."""
    for floor in ("theory", "numerics"):
        for topic in TOPICS:
            try:
                room = importlib.import_module(f"widelimit.{floor}.{topic}")
            except ModuleNotFoundError:
                continue
            public = getattr(room, "__all__", None) or [
                name
                for name, f in vars(room).items()
                if getattr(f, "__module__", "").startswith(room.__name__)
            ]
            for name in public:
                f = getattr(room, name)
                if (
                    inspect.isfunction(f)
                    and f.__module__.startswith("widelimit")
                    and not name.startswith("_")
                ):
                    yield floor, topic, name, f


def doors():
    for floor, topic, name, f in functions():
        if f"{floor}.{topic}.{name}" in INNER:
            continue
        parameters = inspect.signature(f).parameters.values()
        for parameter in parameters:
            if parameter.name in WORDS | RECORDS or parameter.kind in (
                parameter.VAR_KEYWORD,
                parameter.VAR_POSITIONAL,
            ):
                continue
            valid = {**VALID, **VALID_IN.get(topic, {})}
            others = {
                p.name: valid[p.name]
                for p in parameters
                if p.default is p.empty and p.name in valid and p != parameter
            }
            yield pytest.param(f, parameter.name, others, id=f"{floor}.{topic}.{name}-{parameter.name}")


def hostile(tmp_path):
    """Text that SymPy would run, bare and hidden in containers."""
    text = f"__import__('pathlib').Path({str(tmp_path / 'hit')!r}).write_text('x') and 1"
    return text, [text, [text], (text, 1), {text: 1}, [(text, 1), (1, text)]]


@pytest.mark.parametrize(("function", "argument", "others"), list(doors()))
def test_no_argument_is_evaluated(function, argument, others, tmp_path):
    _, forms = hostile(tmp_path)
    for form in forms:
        with pytest.raises(WidelimitError):
            function(**{argument: form}, **others)
        assert not (tmp_path / "hit").exists()


LAW = semicircle()
A = sympy.Symbol("a", positive=True)
CALLS = {
    "Law.of S": lambda v: Law.of(S=v), "Law.of R": lambda v: Law.of(R=v), "Law.of M": lambda v: Law.of(M=v),
    "Law.of G": lambda v: Law.of(G=v), "atoms": lambda v: Law.of(S=1 / (1 + x), atoms=[(v, 1)]),
    "masses": lambda v: Law.of(S=1 / (1 + x), atoms=[(1, v)]), "support": lambda v: Law.of(R=x, support=[(v, 1)]),
    "law + v": lambda v: LAW + v, "v + law": lambda v: v + LAW, "law * v": lambda v: LAW * v,
    "v * law": lambda v: v * LAW, "law ** v": lambda v: LAW**v, "scale": LAW.scale, "shift": LAW.shift,
    "compress": LAW.compress, "transpose": LAW.transpose, "free_power": LAW.free_power, "moments": LAW.moments,
    "cumulants": LAW.cumulants, "Activation expr": lambda v: Activation("name", v), "Activation.of": Activation.of,
    "derivative": Activation.of("relu").derivative, "entry": CATALOGUE["leaky_relu"],
    "entry.at": CATALOGUE["leaky_relu"].at, "integrand": lambda v: Expectation(v, x, 1),
    "variables": lambda v: Expectation(x, v, 1), "covariance": lambda v: Expectation(x, x, v),
    "evaluate": lambda v: evaluate(v, {}, 15), "values": lambda v: evaluate(A, {A: v}, 15),
    "exact.number": lambda v: exact.number("a", v), "exact.expression": lambda v: exact.expression("a", v),
    "exact.pairs": lambda v: exact.pairs("a", [(v, v)], "must"), "exact.numbers": lambda v: exact.numbers("a", [v]),
    "dense": lambda v: architecture.Dense(v), "act": architecture.Act.of, "keep": architecture.Dropout,
    "filter": lambda v: architecture.Convolution(v),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_no_method_evaluates_text(call, tmp_path):
    text, _ = hostile(tmp_path)
    with pytest.raises(WidelimitError):
        CALLS[call](text)
    assert not (tmp_path / "hit").exists()


def test_the_name_of_a_function_is_not_run(tmp_path):
    """SymPy prints the names of undefined functions into the code of `lambdify` as they are."""
    text, _ = hostile(tmp_path)
    node = Expectation(sympy.Function(text)(x), x, 1)
    with pytest.raises(WidelimitError):
        node.evalf()
    with pytest.raises(WidelimitError):
        Activation.of(sympy.Function(text)(x))
    with pytest.raises(WidelimitError):
        Law.of(S=sympy.Function(text)(sympy.Symbol("m")))
    assert not (tmp_path / "hit").exists()
