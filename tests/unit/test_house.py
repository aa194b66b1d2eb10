"""Rules of this repository: its tests do not depend on a quick machine, and its docstrings are plain English."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[1]
CLOCKS: Final = frozenset(("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time", "time_ns"))
"""Functions that return this machine's time; CPU time and a loop's own clock are something else."""
FOLDERS: Final = ("server", "tools", "plugins", "scripts", "tests", "benchmarks")
HELP: Final = "options.py"
"""Modules whose docstrings are the --help of a verb."""
CLAUSE: Final = re.compile(r"\s*(Who(m|se|ever)?|What(ever)?|Which|Whether|Wh(en|ere|y)|How|That|Of)\b")
"""Beginnings of a docstring that is a clause without its sentence."""
ASKS_CLOCK: Final = re.compile(rf"\b({'|'.join(CLOCKS)})\(")


def too_late(source: str) -> list[int]:
    """Return the lines of assertions that fail on a slow machine: those that bound elapsed time from above.

    A bound on waiting inside a `while` is none of them: it costs time only where the test fails anyway.
    """
    if not ASKS_CLOCK.search(source):  # searching a text is quicker than parsing it
        return []
    tree = ast.parse(source)
    waits = {id(inner) for outer in ast.walk(tree) if isinstance(outer, ast.While) for inner in ast.walk(outer)}
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        timed = _timed_names(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Assert) and id(node) not in waits and any(_bounds(test, timed) for test in _compares(node)):
                found.append(node.lineno)
    return sorted(set(found))


def _timed_names(function: ast.AST) -> set[str]:
    """Return the names assigned a difference of two times of the clock."""
    clocked = {name for name, value in _given(function) if _asks_clock(value)}
    return {name for name, value in _given(function) if _passed(value, clocked)}


def _given(function: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _compares(node: ast.AST) -> Iterator[ast.Compare]:
    yield from (inner for inner in ast.walk(node) if isinstance(inner, ast.Compare))


def _bounds(compare: ast.Compare, timed: set[str]) -> bool:
    """Return whether a comparison bounds elapsed time from above."""
    sides = [compare.left, *compare.comparators]
    for operator, left, right in zip(compare.ops, sides, sides[1:], strict=False):
        if isinstance(operator, (ast.Lt, ast.LtE)):
            less = left
        elif isinstance(operator, (ast.Gt, ast.GtE)):
            less = right
        elif isinstance(operator, ast.Eq) and "approx" in ast.dump(right):
            less = left
        else:
            continue
        if _passed(less, set()) or (isinstance(less, ast.Name) and less.id in timed):
            return True
    return False


def _passed(value: ast.AST, clocked: set[str]) -> bool:
    """Return whether an expression is a difference that begins with the clock: ``monotonic() - began``."""
    return any(
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and (_asks_clock(node.left) or (isinstance(node.left, ast.Name) and node.left.id in clocked))
        for node in ast.walk(value)
    )


def _asks_clock(value: ast.AST) -> bool:
    for node in ast.walk(value):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
            of_time = not isinstance(called, ast.Attribute) or (isinstance(called.value, ast.Name) and called.value.id == "time")
            if name in CLOCKS and of_time:
                return True
    return False


@pytest.mark.parametrize(
    "line",
    [
        "assert time.monotonic() - began < 2",
        "assert 0 < perf_counter() - began <= 0.4, 'late'",
        "took = time.monotonic() - began; assert took < 1.5",
        "took = (time.perf_counter() - began) * 1000; assert 400 > took",
        "now = monotonic(); took = now - began; assert took == pytest.approx(0.5, abs=0.1)",
        "assert ok and time.time() - began < 30",
    ],
)
def test_a_bound_on_passed_time_is_found(line: str) -> None:
    assert too_late("def test() -> None:\n    " + line.replace("; ", "\n    "))


@pytest.mark.parametrize(
    "line",
    [
        "assert time.monotonic() - began >= 0.5",
        "assert loop.time() - began < 2",
        "assert time.thread_time() - began < 0.1",
        "assert before <= record.at <= time.time()",
        "while busy():\n        assert time.monotonic() < until",
        "assert count < 3",
    ],
)
def test_other_comparisons_are_not(line: str) -> None:
    assert not too_late("def test() -> None:\n    " + line)


def test_no_test_fails_because_the_machine_is_busy() -> None:
    found = [
        f"{file.relative_to(TESTS.parent)}:{line}" for file in sorted(TESTS.rglob("*.py")) for line in too_late(file.read_text())
    ]
    assert not found, "assert order, counts or virtual time; how long something takes belongs into benchmarks/"


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each docstring, those of attributes included."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield statement.lineno, text


@pytest.mark.parametrize("text", ["What is left", "Whether it is so", "Which of them", "Where they are", "Of which nobody knows"])
def test_a_clause_is_no_beginning(text: str) -> None:
    assert [line for line, text in docstrings(f'def one():\n    """{text}."""\n') if CLAUSE.match(text)] == [2]


def test_every_docstring_begins_with_a_verb_or_a_noun() -> None:
    files = (file for folder in FOLDERS for file in sorted((TESTS.parent / folder).rglob("*.py")) if file.name != HELP)
    found = [
        f"{file.relative_to(TESTS.parent)}:{line}: {text.splitlines()[0]}"
        for file in files
        for line, text in docstrings(file.read_text())
        if CLAUSE.match(text)
    ]
    assert not found, 'say what it does or is: "Return the …", "State of …"; a test: what must hold'
