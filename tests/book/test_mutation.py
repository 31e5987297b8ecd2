"""An assertion that no perturbed value can break is found out; one that says something is not."""

import ast

import pytest

from studyguide.book import mutation


def results(code: str) -> dict[str, bool]:
    """Run an instrumented cell as the kernel does and return what it kept."""
    space: dict = {}
    exec(mutation.PREAMBLE, space)
    exec(mutation.instrument(ast.parse(code), "c"), space)
    return space[f"{mutation.NAME}_results"]


@pytest.mark.parametrize(
    "code",
    [
        "x = 1e-9\nassert x < 1e-6",
        "x = 3\nassert x == 3 and 1 < x",
        "assert sorted([2, 1]) == [1, 2]",
        "ok = True\nassert ok",
        "for n in (1, 2):\n    assert n in {1, 2}",
        "from math import isclose\nassert isclose(0.1 + 0.2, 0.3)",
        "assert all(v > 0 for v in [1, 2])",
        "assert 'abc'.startswith('a')",
    ],
)
def test_assertion_that_says_something(code: str):
    """Every assertion is broken by some perturbed value, and each was looked at."""
    found = results(code)
    assert found
    assert mutation.cannot_fail(found) == {}


@pytest.mark.parametrize(
    "code",
    [
        "x = 5\nassert (x == x) in (True, False)",
        "class Same:\n    def __eq__(self, other): return True\nassert 3 == Same()",
    ],
)
def test_assertion_that_says_nothing(code: str):
    """A comparison that holds whatever stands on its left is reported with its claim."""
    assert "c" in mutation.cannot_fail(results(code))


def test_failing_assertion_still_fails():
    """The instrumented cell asserts what the cell asserts."""
    with pytest.raises(AssertionError, match="no"):
        results("assert 1 > 2, 'no'")
