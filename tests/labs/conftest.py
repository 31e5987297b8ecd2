"""Labs need PyTorch, which the book does not: without it their tests are reported as not run, except in CI."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

LABS = Path(__file__).resolve().parents[2] / "labs"


ABSENT = None if importlib.util.find_spec("torch") else "PyTorch is absent: make .venv/run.stamp"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without PyTorch, skip what needs it: one line per file in the report. In CI the fixture fails instead."""
    if ABSENT and os.environ.get("CI") != "true":
        for item in items:
            if "torch" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason=ABSENT))


@pytest.fixture(scope="session")
def torch() -> None:
    """Asked for by tests that need PyTorch."""
    if ABSENT:
        pytest.fail(ABSENT)


@pytest.fixture
def common(torch, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`labs/common.py`, imported as a lab imports it."""
    monkeypatch.syspath_prepend(LABS)
    import common

    yield common
    sys.modules.pop("common", None)
