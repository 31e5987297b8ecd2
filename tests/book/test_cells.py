"""What a cell says about itself: whether it asserts, what it imports; level-1 headings are found outside of fences."""

import ast

import pytest

from studyguide.book import cells
from studyguide.book.chapter import heading_1_lines


@pytest.mark.parametrize(
    ("code", "asserts"),
    [
        ("assert x == 1", True),
        ("np.testing.assert_allclose(a, b)", True),
        ("for i in y:\n    assert i", True),
        ("assert True", False),
        ("print('assert x')", False),
    ],
)
def test_assertion_that_can_fail(code: str, asserts: bool):
    """Only an assertion about something counts as evidence."""
    assert cells.asserts_something(ast.parse(code)) is asserts


def test_imports():
    """Plain, dotted and from-imports are all seen; relative ones are not ours to follow."""
    tree = ast.parse("import a.b, c as d\nfrom e import f\nfrom . import g")
    assert cells.imports([tree]) == {"a.b", "c", "e", "e.f"}


def test_headings():
    """ATX and setext headings of level 1 are found, but not comments in code; a colon fence is no code."""
    body = "a\n\n# b\n\n```python\n# c\n```\n\n:::{note}\n# d\n:::\n\ne\n==\n\n## f\n#g"
    assert heading_1_lines(body) == [2, 9, 12]
