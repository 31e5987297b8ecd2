"""Figures need Matplotlib, which the book does not: without it their tests are reported as not run, except in CI."""

import importlib.util
import os

import pytest

ABSENT = None if importlib.util.find_spec("matplotlib") else "Matplotlib is absent: make .venv/run.stamp"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Matplotlib, skip what needs it: one line per file in the report. In CI the fixture fails instead."""
    if ABSENT and os.environ.get("CI") != "true":
        for item in items:
            if "matplotlib" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason=ABSENT))


@pytest.fixture(scope="session")
def matplotlib() -> None:
    """Asked for by tests that need Matplotlib."""
    if ABSENT:
        pytest.fail(ABSENT)
