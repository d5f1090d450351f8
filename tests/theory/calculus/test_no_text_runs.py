"""No text from outside is evaluated and nothing is unpickled: the source of all floors is read for what could."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FLOORS = [ROOT / floor / "widelimit" / floor for floor in ("theory", "numerics", "validate")]
CALLS = {"sympify", "S", "eval", "exec", "parse_expr", "lambdify", "nsimplify", "__import__", "literal_eval"}
MODULES = {
    "pickle": {"load", "loads", "Unpickler"}, "cloudpickle": {"load", "loads"}, "dill": {"load", "loads"},
    "joblib": {"load"}, "marshal": {"load", "loads"}, "shelve": {"open"}, "yaml": {"load", "unsafe_load", "full_load"},
    "runpy": {"run_path", "run_module"}, "np": {"load"}, "numpy": {"load"}, "torch": {"load"},
    "pd": {"read_pickle", "eval"}, "pandas": {"read_pickle", "eval"},
}  # fmt: skip
SAFE = {
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "torch.load": ("weights_only", True),
}
ALLOWED = {
    ("numerics/compile/special.py", "exec"): "names of one table of the file, letters and numbers",
    ("numerics/jacobian/spectra.py", "nsimplify"): "a float64 that `arguments` has checked",
    ("numerics/freeprob/curves.py", "nsimplify"): "a node of an expression that `exact` has let in",
    ("numerics/freeprob/poles.py", "nsimplify"): "a root of an expression that `exact` has let in",
    ("theory/calculus/gaussian/expectation.py", "lambdify"): "SymPy expressions, undefined functions refused",
    ("theory/ridge/steps.py", "lambdify"): "our own formulas",
    ("theory/representation/evidence.py", "lambdify"): "our own formulas",
    ("numerics/pruning/chance.py", "lambdify"): "our own formula, as functions of whole numbers",
    ("validate/representation/penalty.py", "lambdify"): "our own formula, as a function of tensors",
    ("theory/ridge/power.py", "lambdify"): "our own formulas",
    ("theory/spiking/checks.py", "lambdify"): "our own formulas",
    ("numerics/spectra/edge_laws.py", "lambdify"): "our own formulas, with Airy functions of SciPy",
}


def callee(call: ast.Call) -> str:
    """The dotted name of what is called, as far as it is one."""
    names, node = [], call.func
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([*([node.id] if isinstance(node, ast.Name) else []), *reversed(names)])


def dangerous(tree: ast.AST) -> list[str]:
    """Every call in a file that reads text or bytes as code."""
    own = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    taken = {
        alias.asname or alias.name
        for n in ast.walk(tree)
        if isinstance(n, ast.ImportFrom)
        for alias in n.names
    }
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = callee(call)
        head, _, last = name.rpartition(".")
        keyword, safe = SAFE.get(name, ("", None))
        if keyword:
            given = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
            if given.get(keyword) is not safe:
                found.append(name)
        elif last in MODULES.get(head.rpartition(".")[2], ()):
            found.append(name)
        elif last in CALLS and not (last in own and not head):
            found.append(last)
        elif name == "compile" and "compile" not in own | taken:
            found.append(name)
    return found


def test_what_could_evaluate_text_or_unpickle_is_on_the_list():
    seen = set()
    for floor in FLOORS:
        for path in floor.rglob("*.py"):
            place = f"{floor.name}/{path.relative_to(floor)}"
            for name in dangerous(ast.parse(path.read_text(encoding="utf-8"))):
                seen.add((place, name))
    assert seen - set(ALLOWED) == set()
    stale = set(ALLOWED) - seen
    assert stale == set()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("sympify(x)", "sympify"), ("sp.S(x)", "S"), ("eval(x)", "eval"), ("compile(x, '', 'eval')", "compile"),
        ("np.load(p)", "np.load"), ("np.load(p, allow_pickle=True)", "np.load"), ("torch.load(p)", "torch.load"),
        ("pickle.loads(b)", "pickle.loads"), ("numpy.load(p, allow_pickle=flag)", "numpy.load"),
        ("sympy.parsing.sympy_parser.parse_expr(x)", "parse_expr"), ("pickle.Unpickler(f).load()", "pickle.Unpickler"),
    ],
)  # fmt: skip
def test_the_walk_sees(source, name):
    assert name in dangerous(ast.parse(source))


def test_the_walk_lets_pass():
    fine = "np.load(p, allow_pickle=False); torch.load(p, weights_only=True); json.loads(s); ast.parse(t)"
    assert dangerous(ast.parse(fine)) == []
