"""The synthetic books are the same at every call and valid; the table says what was measured. No time is asserted."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

from studyguide.bench import compare, measure, synthetic
from studyguide.bench.measure import Cost
from studyguide.bench.synthetic import Dialect
from studyguide.problem import ProblemError

DUMP = """
import json, sys
from studyguide.bench.synthetic import Dialect, book
json.dump([book(3, dialect) for dialect in Dialect], sys.stdout)
"""


def test_book_is_the_same_in_every_process():
    """Neither the process nor its hash seed shows in the text."""
    dumps = set()
    for seed in ("1", "2"):
        command = [sys.executable, "-c", DUMP]
        done = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True)
        dumps.add(done.stdout)
    assert len(dumps) == 1


@pytest.mark.parametrize("count", [1, 2, 35, 300])
def test_every_chapter_has_one_place(count: int):
    """Chapters are numbered through; parts follow each other without a gap, about as many as a part has chapters."""
    where = synthetic.places(count)
    assert [place.number for place in where] == list(range(1, count + 1))
    parts = [place.part for place in where]
    assert parts == sorted(parts)
    assert set(parts) == set(range(1, max(parts) + 1))
    assert max(parts) ** 2 >= count > (max(parts) - 1) ** 2


def test_dialects_tell_the_same():
    """Every tool gets the same sections, code blocks, formulas and links."""
    counts = set()
    for dialect in Dialect:
        pages = [text for name, text in synthetic.book(5, dialect).items() if "chapter-" in name]
        text = "".join(pages)
        patterns = ("^## ", "^```python$", r"^\$\$\n.+\n\$\$", r"\]\(\.\./part-\d\d/chapter-\d{5}\.md\)")
        counts.add(tuple(len(re.findall(pattern, text, re.M)) for pattern in patterns))
        assert len(pages) == 5
    assert counts == {(5 * synthetic.SECTIONS,) * 4}


def test_ours_builds_without_a_warning(tmp_path: Path):
    """The book of three chapters is valid for this project's build, where every warning is an error."""
    compare.lay_out(tmp_path / "book", 3, Dialect.STUDYGUIDE, ROOT)
    command = compare.studyguide(ROOT).command
    done = subprocess.run(command, cwd=tmp_path / "book", capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
    assert len(list((tmp_path / "book/_build/html/chapters").glob("part-*/chapter-*.html"))) == 3


def test_measure_sees_the_children_of_a_command(tmp_path: Path):
    """Memory of a process that the command starts counts; a command that fails is named with its last line."""
    child = "import sys, subprocess; subprocess.run([sys.executable, '-c', 'b = bytearray(200_000_000); b[::4096]'])"
    assert measure.run([sys.executable, "-c", child], tmp_path).peak_bytes > 150_000_000
    with pytest.raises(ProblemError, match=r"failed .* ended with an error: alas"):
        measure.run([sys.executable, "-c", "import sys; print('so'); sys.exit('alas')"], tmp_path)


def test_table_gives_ratios():
    """A ratio is the time over the baseline's for the same size."""
    ours, other = compare.studyguide(ROOT), compare.jupyter_book()
    results = [
        compare.Result(ours, 35, Cost(3.0, 5.0, 2**27), Cost(1.0, 1.0, 2**27)),
        compare.Result(other, 35, Cost(12.0, 12.0, 2**28), Cost(4.0, 4.0, 2**28)),
    ]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in compare.table(results, [other]).split("\n")]
    assert rows[2] == ["35", "this project", "3.0", "0.25", "86", "5.0", "1.0", "128"]
    assert rows[3][2:4] == ["12.0", "1.00"]
