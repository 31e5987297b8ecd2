"""Jupyter notebooks: cells, outputs and attachments. The notebook is made here, so that each test shows its cell."""

import base64
import json

import pytest

from studyguide.articles.article import Article
from studyguide.articles.notebook import read_notebook
from studyguide.myst.parse import count, parse
from studyguide.myst.writer import render
from studyguide.problem import ProblemError

PNG = b"\x89PNG\r\n\x1a\n0000"
CODED = base64.b64encode(PNG).decode()


def markdown(text: str, **more) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": text, **more}


def code(text: str, *outputs: dict, tags: tuple[str, ...] = ()) -> dict:
    made = {"cell_type": "code", "metadata": {"tags": list(tags)}, "execution_count": 1}
    return made | {"source": text, "outputs": list(outputs)}


def shown(**data) -> dict:
    return {
        "output_type": "display_data",
        "metadata": {},
        "data": {key.replace("_", "/"): value for key, value in data.items()},
    }


def notebook(*cells: dict, **metadata) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": metadata, "cells": list(cells)})


def read(*cells: dict, **metadata) -> Article:
    """The article, after MyST's parser has counted in the written text what the reader found."""
    article = read_notebook(notebook(*cells, **metadata), "demo.ipynb")
    lost = [loss.what.partition(":")[0] for loss in article.losses]
    kept = count(parse(render(article.tokens)))
    assert {kind: kept[kind] + lost.count(kind) for kind in kept} == article.found
    return article


def test_title_leaves_the_body_and_links_reach_other_cells():
    article = read(markdown("# 分块 Softmax\n\n见[推导](#推导)。"), markdown("### 推导\n\n$m$"))
    assert article.title == "分块 Softmax"
    assert render(article.tokens) == "见[推导](#推导)。\n\n## 推导\n\n$m$\n"


def test_code_has_the_language_of_the_kernel_or_its_magic():
    article = read(
        code("val x = 1"), code("%%bash\nls"), kernelspec={"name": "s", "display_name": "s", "language": "scala"}
    )
    assert render(article.tokens) == "```scala\nval x = 1\n```\n\n```bash\n%%bash\nls\n```\n"


def test_streams_are_what_a_terminal_shows_at_the_end():
    pieces = [
        {"output_type": "stream", "name": "stdout", "text": text}
        for text in ("10%\r90%\r", "100%\n", "\x1b[1mdone\x1b[0m\n")
    ]
    assert render(read(code("x", *pieces)).tokens).endswith("```text\n100%\ndone\n```\n")


def test_an_error_is_its_traceback_without_colours():
    error = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[0;31mE\x1b[0m", "v"]}
    assert render(read(code("x", error)).tokens).endswith("```text\nE\nv\n```\n")


def test_an_image_wins_over_text_and_becomes_an_asset():
    article = read(code("plot()", shown(image_png=CODED, text_plain="<Figure>")))
    assert article.assets == {"output-1.png": PNG}
    assert "Figure" not in render(article.tokens)
    assert article.found["images"] == 1


def test_an_attachment_becomes_an_asset():
    article = read(markdown("![图](attachment:a.png)", attachments={"a.png": {"image/png": CODED}}))
    assert (render(article.tokens), article.assets) == ("![图](a.png)\n", {"a.png": PNG})


def test_a_data_frame_becomes_a_table():
    html = "<style>td {}</style><table><tr><th></th><th>a</th></tr><tr><th>0</th><td>1</td></tr></table>"
    article = read(code("df", shown(text_html=html, text_plain="a\n1")))
    assert "| 0 | 1 |" in render(article.tokens)


def test_latex_is_displayed():
    assert "$$\nx^2\n$$" in render(read(code("x", shown(text_latex="$\\displaystyle x^2$"))).tokens)


def test_a_widget_is_a_loss_that_names_its_cell():
    article = read(
        markdown("文"), code("w", shown(text_plain="Slider()", **{"application_vnd.jupyter.widget-view+json": {}}))
    )
    assert [loss.line for loss in article.losses] == [2]
    assert "Slider()" in render(article.tokens)


def test_raw_cells_are_shown_as_what_they_are():
    def raw(text: str, kind: str) -> dict:
        return {"cell_type": "raw", "metadata": {"raw_mimetype": kind}, "source": text}

    article = read(raw("<p>a <b>b</b></p>", "text/html"), raw("**c**", "text/markdown"), raw("x < y", ""))
    assert render(article.tokens) == "a **b**\n\n**c**\n\n```\nx < y\n```\n"


def test_removed_parts_stay_out():
    article = read(code("a", tags=("remove-cell",)), code("b", shown(text_plain="c"), tags=("remove_output",)))
    assert render(article.tokens) == "```python\nb\n```\n"


def test_a_svg_that_could_run_a_script_stays_out():
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    article = read(code("x", shown(**{"image_svg+xml": svg})))
    assert article.assets == {}
    assert article.losses[0].what.startswith("images: ")


def test_front_matter_in_a_first_raw_cell():
    cell = {"cell_type": "raw", "metadata": {}, "source": "---\ntitle: 采样\ndate: 2024-05-06\n---"}
    article = read(cell, markdown("文"))
    assert (article.title, article.date, article.text) == ("采样", "2024-05-06", "文")


def test_notebooks_of_format_3_are_read():
    cells = [
        {"cell_type": "code", "language": "python", "input": "x = 1", "outputs": [], "metadata": {}, "collapsed": False}
    ]
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [{"cells": cells, "metadata": {}}],
    }
    assert "x = 1" in render(read_notebook(json.dumps(old), "old.ipynb").tokens)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"nbformat": 4}', '{"nbformat": 4, "cells": 1}', '{"nbformat": "x", "cells": []}']
)
def test_what_is_no_notebook_is_one_clear_line(text):
    with pytest.raises(ProblemError, match=r"^bad\.ipynb:1: not-a-notebook .*nbconvert`$"):
        read_notebook(text, "bad.ipynb")
