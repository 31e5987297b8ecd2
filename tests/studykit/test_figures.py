import re
import subprocess
import sys

import pytest

from studykit import figures

DRAW = """
from IPython.core.interactiveshell import InteractiveShell
from matplotlib_inline.backend_inline import configure_inline_support

shell = InteractiveShell.instance()
configure_inline_support(shell, "module://matplotlib_inline.backend_inline")

from studykit import figures

figures.use()
import matplotlib.pyplot as plt

figure, axes = plt.subplots()
axes.plot([1, 2, 3], [3, -1, 2], label="注意力")
axes.fill_between([1, 2], [0, 1], hatch="/")
axes.set_title(TITLE)
axes.set_xlabel("$n$")
axes.legend()
data, _ = shell.display_formatter.format(figure)
assert set(data) == {"text/plain", "image/svg+xml"}, data.keys()
print(data["image/svg+xml"])
"""


def draw(title: str) -> subprocess.CompletedProcess:
    """A process of its own, as each chapter has, that prints a figure as a notebook shows it."""
    command = [sys.executable, "-X", "utf8", "-c", f"TITLE = {title!r}\n{DRAW}"]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_the_same_figure_gives_the_same_bytes_without_a_date(matplotlib):
    first, second = draw("代价与长度"), draw("代价与长度")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("<?xml") and "<svg" in first.stdout
    assert first.stdout == second.stdout
    assert "dc:date" not in first.stdout and not re.search(r"\b20\d\d-\d\d-\d\d", first.stdout)


def test_a_missing_glyph_is_an_error(matplotlib):
    result = draw("代价\U0001f600")
    assert result.returncode == 1 and "Glyph 128512" in result.stdout and "<svg" not in result.stdout


def luminance(colour: str) -> float:
    parts = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("paper", [1.0, luminance("#17181a")])
def test_ink_reads_on_light_and_dark(paper):
    low, high = sorted((luminance(figures.INK), paper))
    assert (high + 0.05) / (low + 0.05) >= 3.6
