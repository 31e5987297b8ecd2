"""What all labs share: a results file that survives a kill, figures with their spread."""

import json

import pytest


def make(common, tmp_path, *arguments: str):
    script = tmp_path / "toy.py"
    script.write_text("")
    return common.Lab(str(script), "a toy", ["--device", "cpu", "--small", *arguments])


def test_results_are_on_disk_as_they_come(common, tmp_path):
    out = tmp_path / "new" / "toy.json"
    with pytest.raises(KeyboardInterrupt), make(common, tmp_path, "--out", str(out)) as lab:
        lab.put("setup", {"n": 3})
        lab.add("rows", {"n": 3, "ms": common.figure([1.0, 2.0, 3.0])})
        assert json.loads(out.read_text())["rows"][0]["ms"]["median"] == 2.0
        raise KeyboardInterrupt
    kept = json.loads(out.read_text())
    assert kept["complete"] is False and kept["setup"] == {"n": 3} and len(kept["rows"]) == 1
    assert [path.name for path in out.parent.iterdir()] == ["toy.json"]


def test_a_run_says_where_it_comes_from(common, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_COMMIT", "f" * 40)
    with make(common, tmp_path) as lab:
        pass
    facts = lab.results
    assert facts["complete"] and facts["small"] and facts["commit"] == "f" * 40
    assert facts["command"] == "python labs/toy.py --device cpu --small"
    assert set(facts["files"]) == {"labs/common.py", "labs/toy.py"}
    assert facts["versions"]["torch"] and facts["device"]["type"] == "cpu"
    assert list(tmp_path.iterdir()) == [tmp_path / "toy.py"], "a toy run writes no file that it was not asked for"


@pytest.mark.parametrize("arguments", [["--device", "cpu"], ["--device", "tpu"]])
def test_wrong_usage(common, tmp_path, arguments, capsys):
    with pytest.raises(SystemExit) as error:
        common.Lab(str(tmp_path / "toy.py"), "a toy", arguments)
    assert error.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_not_a_number_never_reaches_the_file(common, tmp_path):
    lab = make(common, tmp_path, "--out", str(tmp_path / "toy.json"))
    with pytest.raises(ValueError):
        lab.put("error", float("nan"))


def test_figures(common):
    assert common.figure([float(i) for i in range(11)]) == {"median": 5.0, "low": 1.0, "high": 9.0, "repeats": 11}
    assert common.figure([2.0]) == {"median": 2.0, "low": 2.0, "high": 2.0, "repeats": 1}
    ms = {"median": 2.0, "low": 1.0, "high": 4.0, "repeats": 5}
    assert common.rate(3.0, ms) == {"median": 1500.0, "low": 750.0, "high": 3000.0, "repeats": 5}


def test_works_take_turns(common):
    calls = []
    times = common.times_ms({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, "cpu")
    assert set(times) == {"a", "b"} and all(0 <= t["low"] <= t["median"] <= t["high"] for t in times.values())
    assert calls.count("a") == calls.count("b") > times["a"]["repeats"]
