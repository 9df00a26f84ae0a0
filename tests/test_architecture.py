"""The import rules, from the syntax trees: theorems and numerics import nothing else of ours, verify imports both."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("theorems", "numerics", "verify")
ALLOWED = {"theorems": {"theorems"}, "numerics": {"numerics"}, "verify": set(OURS)}
FORBIDDEN = {"numerics": {"sympy", "mpmath", "flint"}, "theorems": {"numba"}, "verify": set()}
MODULES = sorted(path for package in OURS for path in (ROOT / package).rglob("*.py"))
LONGEST = 400


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_respect_the_layers(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    roots = {name.split(".")[0] for name in imported(ast.parse(path.read_text()))}
    assert roots & set(OURS) <= ALLOWED[package]
    assert not roots & FORBIDDEN[package]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_house_rules(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module says what it is"
    assert len(text.splitlines()) <= LONGEST
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, "no bare except"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "eval", "exec", "sympify", "lambdify"), node.func.id
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("sympify", "lambdify", "parse_expr"), node.attr


def test_public_functions_have_docstrings() -> None:
    bare = []
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            named = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if named and not node.name.startswith("_") and not ast.get_docstring(node):
                bare.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert not bare


def test_hypothesis_is_needed_only_by_the_strategies() -> None:
    users = [path.name for path in MODULES if any(name.startswith("hypothesis") for name in imported(ast.parse(path.read_text())))]
    assert users == ["strategies.py"]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, runpy\n"
        "sys.argv = ['overparam', '--help']\n"
        "try:\n    runpy.run_module('verify', run_name='__main__')\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'sympy', 'numba', 'scipy', 'matplotlib', 'flint', 'sklearn', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Arb's power of a ball with midpoint 0 is NaN. These powers are of points, of balls away from 0, of polynomials, or of no balls.
POWERS = {
    "theorems/ball_arithmetic.py": {"Fraction(2)", "x", "x.abs_lower()", "x.abs_upper()", "x.lower()", "x.upper()"},
    "theorems/hermite.py": {"rho.abs_upper()", "arb_poly(value)", "arb_poly(slope)"},
    "theorems/input_gram.py": {"g[i][j]"},
    "theorems/taylor.py": {"x"},
    "verify/checker_balls.py": {"ball(bound)", "x", "x.abs_upper()"},
}
# In hermite doubles, integers and SymPy expressions are raised too.
PLAIN = {
    "1 + S ** 2",
    "S",
    "REACH",
    "base",
    "grown.value",
    "grown.slope",
    "math.factorial(DEGREE)",
    "math.factorial(NODES)",
    "nearest[i]",
}
PLAIN |= {"nodes", "sigma", "sigma[1]", "values[slope]", "width"}


def test_balls_are_raised_to_powers_where_that_is_known_to_be_safe() -> None:
    for name in ("ball_arithmetic", "hermite", "input_gram", "taylor", "series", "jets", "search", "dual", "smallest_eigenvalue"):
        path = f"theorems/{name}.py"
        assert raised(path) <= POWERS.get(path, set()) | (PLAIN if name == "hermite" else set()), path
    assert raised("verify/checker_balls.py") <= POWERS["verify/checker_balls.py"]


def raised(path: str) -> set[str]:
    """What stands before ** in a module of balls, but for numbers."""
    tree = ast.parse((ROOT / path).read_text())
    powers = [node.left for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)]
    return {ast.unparse(left) for left in powers if not isinstance(left, ast.Constant)}


CHECKER = ("checker", "checker_network", "checker_bounds", "checker_balls")
FORMAT = (
    *("certificate_consequences", "certificate_fields"),
    *("certificate_file", "certificate_arrays", "certificate_expression", "errors", "fields", "files"),
)
# A and its like; the network and E; B, C and H; definite matrices and derivatives over balls
CHECKER_LINES = {"checker": 200, "checker_network": 230, "checker_bounds": 200, "checker_balls": 260}


@pytest.mark.parametrize("name", [*CHECKER, *FORMAT])
def test_the_checker_shares_only_the_file_format(name: str) -> None:
    """Standard library, python-flint and the format's modules, which themselves import no arithmetic but Python's."""
    path = ROOT / "verify" / f"{name}.py"
    names = imported(ast.parse(path.read_text()))
    ours = {module for module in names if module.split(".")[0] in OURS}
    allowed = {f"verify.{module}" for module in (*FORMAT, *(CHECKER if name in CHECKER else ()))} | {"theorems.errors"}
    assert ours <= allowed
    foreign = {module.split(".")[0] for module in names - ours} - sys.stdlib_module_names
    assert foreign <= ({"flint"} if name in CHECKER else set())
    assert name not in CHECKER or len(path.read_text().splitlines()) <= CHECKER_LINES[name]


def test_the_checker_loads_no_other_arithmetic() -> None:
    code = (
        "import sys, verify.checker\n"
        "ours = {n for n in sys.modules if n.split('.')[0] in ('theorems', 'numerics')} - {'theorems', 'theorems.errors'}\n"
        "other = {'numpy', 'sympy', 'mpmath', 'scipy', 'numba'} & set(sys.modules) | ours\n"
        "sys.exit(f'imported {other}' if other else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
