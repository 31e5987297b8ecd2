"""Labs need PyTorch, which the book does not: without it their tests are reported as not run, except in CI."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

LABS = Path(__file__).resolve().parents[2] / "labs"


@pytest.fixture(scope="session")
def torch() -> None:
    """Skip without PyTorch, with the remedy; in CI that is an error."""
    if importlib.util.find_spec("torch") is None:
        message = "PyTorch is absent: make .venv/run.stamp"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture
def common(torch, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`labs/common.py`, imported as a lab imports it."""
    monkeypatch.syspath_prepend(LABS)
    import common

    yield common
    sys.modules.pop("common", None)
