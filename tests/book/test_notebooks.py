"""A chapter as a notebook: MyST's own syntax written out, and a notebook that runs from the zip."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from support import ROOT

from studyguide.book.notebooks import Names, Text

NAMES = Names(
    equations={"eq-a": "1.2"},
    numbered={"fig-a": "图 1.3", "ex-a": "练习 1.1"},
    chapters={"lora": ("LoRA", "../x/lora.ipynb"), "ddpg": ("DDPG", "")},
    citations={"k2020": ("甲 等，2020", "甲. 题目. 2020."), "m2021": ("乙，2021", "乙. 另一题. 2021.")},
    measured={"m": "3.5 倍"},
)


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        ("由式 {eq}`eq-a` 与{numref}`fig-a`", "由式 (1.2) 与图 1.3"),
        ("见{chapter}`lora`、{chapter}`ddpg`", "见[《LoRA》](../x/lora.ipynb)、《DDPG》"),
        ("{term}`词元`和{term}`词 <词元>`", "词元和词"),
        ("说 {cite}`k2020,m2021`，{cite:t}`k2020`", "说 （甲 等，2020；乙，2021），甲 等，2020"),
        ("快 {measured}`m`，缺 {gap}`公式`", "快 3.5 倍，缺 ［公式缺失］"),
        ("$$\na=b\n$$ (eq-a)", "$$\na=b\n\\tag{1.2} $$"),
        ("$$\na\n$$\n\n后", "$$\na\n$$\n\n后"),
        ("(target)=\n## 题", "## 题"),
        ("```{note}\n一 {eq}`eq-a`\n```", "\n> **说明**\n>\n> 一 (1.2)"),
        (":::{admonition} 名\n:class: tip\n里\n:::", "\n> **名**\n>\n> 里"),
        ("```{exercise-start} 短（易）\n:label: ex-a\n```\n题", "\n### 练习 1.1　短（易）\n\n\n题"),
        ("```{bibliography}\n:filter: x\n```", ""),
        ("```python\n{eq}`eq-a`\n(x)=\n```", "```python\n{eq}`eq-a`\n(x)=\n```"),
    ],
)
def test_written_out(myst: str, markdown: str):
    """Each piece of MyST becomes what Jupyter shows; code is left alone."""
    assert Text(NAMES).convert(myst) == markdown


def test_works_are_listed_once_in_order():
    """The works that a chapter cites are remembered in the order of their first mention."""
    text = Text(NAMES)
    text.convert("{cite}`m2021` {cite}`k2020`\n{cite}`m2021`")
    assert text.cited == ["m2021", "k2020"]


def test_notebook_runs_from_the_zip(mini: Path, tmp_path: Path):
    """The zip holds notebook and data; unpacked elsewhere the notebook runs and gives the frozen outputs."""
    subprocess.run([sys.executable, ROOT / "scripts/build.py", "--quiet", "--book", mini], check=True)
    archive = zipfile.ZipFile(io.BytesIO((mini / "_build/html/notebooks/notebooks.zip").read_bytes()))
    assert sorted(archive.namelist()) == ["chapters/first/apple.ipynb", "chapters/first/weights.txt"]
    archive.extractall(tmp_path / "taken")
    path = tmp_path / "taken/chapters/first/apple.ipynb"
    taken = nbformat.read(path, 4)
    nbformat.validate(taken)
    frozen = [cell.outputs for cell in taken.cells if cell.cell_type == "code"]
    client = NotebookClient(
        taken,
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--Application.log_level=40"],
    )
    client.execute()
    assert [cell.outputs for cell in taken.cells if cell.cell_type == "code"] == frozen
    assert "和为 4" in str(frozen)
