"""The FlashAttention lab as a toy on the CPU, and the figures that it measured on a GPU."""

import ast
import hashlib
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from studykit.labs import NoResults, local_results, results

ROOT = Path(__file__).resolve().parents[2]
LABS = ROOT / "labs"


def docstring(script: str) -> str:
    return ast.get_docstring(ast.parse((LABS / script).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def toy(torch, tmp_path_factory) -> dict:
    out = tmp_path_factory.mktemp("labs") / "toy.json"
    command = [sys.executable, LABS / "flashattention.py", "--device", "cpu", "--small", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def measured() -> dict:
    return results("flashattention")


def errors_by_case(lab: dict) -> dict[tuple, dict[str, dict]]:
    cases = defaultdict(dict)
    for row in lab["errors"]:
        cases[row["dtype"], row["inputs"], row["n"], row["d"], row["causal"]][row["impl"]] = row
    return cases


def test_the_tiling_is_exact_for_every_length(toy):
    cases = errors_by_case(toy)
    assert {n for _, _, n, _, _ in cases} == {1, 37, 100, 128}
    for case, found in cases.items():
        assert not any(row["failed"] for row in found.values()), case
        assert found["tiled"]["lse_max"] < 1e-5, case
        assert found["tiled"]["rms"] <= 1.5 * found["rounded"]["rms"] + 1e-9, case
        assert found["tiled"]["rms"] <= found["naive"]["rms"], case


def test_the_toy_run_measures_what_the_full_run_does(toy, measured):
    assert toy["complete"] and toy["small"]
    assert set(toy) | {"tuned"} == set(measured)
    for key in ("speed", "memory", "errors", "summary"):
        assert toy[key][0].keys() == measured[key][0].keys(), key


def test_every_key_is_described(measured):
    described = docstring("flashattention.py") + docstring("common.py")
    for key, value in measured.items():
        row = value[0] if isinstance(value, list) else value
        for name in [key, *(row if isinstance(row, dict) and key != "files" else [])]:
            assert name in described, f"{key}: {name}"


def test_the_published_run_is_of_the_committed_script(measured):
    assert measured["command"] == "python labs/flashattention.py --device cuda"
    for path, digest in measured["files"].items():
        show = subprocess.run(["git", "show", f"{measured['commit']}:{path}"], cwd=ROOT, capture_output=True)
        if show.returncode:
            pytest.skip(f"no git history here reaches {measured['commit'][:12]}: git fetch --unshallow")
        assert hashlib.sha256(show.stdout).hexdigest() == digest, path


def test_our_kernel_keeps_up_with_the_library(measured):
    row = next(row for row in measured["summary"] if row["d"] == 128 and not row["causal"])
    assert row["n"] == 8192 and row["triton_over_flash"] >= 0.7


def test_our_kernel_is_exact(measured):
    cases = errors_by_case(measured)
    assert {1000, 37} < {n for _, _, n, _, _ in cases}
    for case, found in cases.items():
        assert not any(row["failed"] for row in found.values()), case
        assert found["triton"]["rms"] <= 1.02 * found["flash"]["rms"], case
        assert found["triton"]["lse_max"] < 1e-4, case


def test_only_naive_attention_runs_out_of_memory(measured):
    assert {row["impl"] for key in ("speed", "memory") for row in measured[key] if row["failed"]} == {"naive"}
    limit = measured["limit"]
    assert limit["fits"] + 1024 == limit["fails"] and limit["peak_mib"] < measured["device"]["memory_mib"]


def test_results_are_found_from_anywhere(measured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert results("flashattention") == measured
    (tmp_path / "labs" / "results").mkdir(parents=True)
    (tmp_path / "labs" / "results" / "flashattention.local.json").write_text('{"small": false}')
    assert local_results("flashattention") == {"small": False}
    assert local_results("no-such-lab") is None
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    (tmp_path / "labs" / "results" / "flashattention.json").write_text('{"small": false, "complete": false}')
    with pytest.raises(NoResults, match="did not end"):
        results("flashattention")


def test_absent_results_name_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoResults, match=r"python labs/no-such-lab\.py --out labs/results/no-such-lab\.json"):
        results("no-such-lab")
