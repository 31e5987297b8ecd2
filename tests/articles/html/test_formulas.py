"""Formulas of every typesetter, and dollars that are none."""

import pytest
from lxml import etree

from studyguide.articles.html import mathml, maths, read_html
from studyguide.myst.parse import count, parse
from studyguide.myst.writer import render

MATHJAX = "<script src='https://cdn.example.org/mathjax/tex-chtml.js'></script>"


def written(body, head=""):
    data = (
        f"<html><head><meta charset='utf-8'><title>t</title>{head}</head><body><article>{body}</article></body></html>"
    )
    return render(read_html(data.encode(), "page").tokens)


@pytest.mark.parametrize(
    ("html", "tex"),
    [
        ("$a<em>{ij} + b</em>{k}$", "a_{ij} + b_{k}"),
        ("$x^<em> y^</em>$", "x^* y^*"),
        ("$a*b$", "a*b"),
        ("$\\left{ a \\right}$", r"\left\{ a \right\}"),
        ("$a &amp;lt; b$", "a < b"),
        ("$f’(x)$", "f'(x)"),
        ("$\\text{‘a’}$", r"\text{‘a’}"),
        ("\\(\\alpha\\)", r"\alpha"),
    ],
)
def test_damaged_tex_is_repaired(html, tex):
    """What a Markdown engine did to TeX is undone where it can be known."""
    assert written(f"<p>设 {html} 。</p>", MATHJAX) == f"设 ${tex}$ 。\n"


def test_halved_row_ends_are_doubled():
    """A back-slash at the end of a row of an environment was two."""
    tex = maths.repair("\\begin{matrix} a \\\n b \\end{matrix}")
    assert tex == "\\begin{matrix} a \\\\\n b \\end{matrix}"


@pytest.mark.parametrize(
    "text",
    [
        "花了 $5 和 $10",
        "$HOME 和 $PATH",
        "从 $5到$8",
        "cost: $1,000 to $2,000 a year",
        "正则 \\(.*\\)",
        "用 $a 和 b$ 表示",
    ],
)
def test_dollars_of_prose_stay(text):
    """Prices, shell variables and regular expressions are no formulas."""
    assert count(parse(written(f"<p>{text}</p>")))["math"] == 0


def test_katex_is_not_tripled():
    """One formula with its annotation, MathML and picture is one formula, and display stays display."""
    katex = (
        '<span class="katex-display"><span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>x</mi>'
        '</mrow><annotation encoding="application/x-tex">x_1</annotation></semantics></math></span>'
        '<span class="katex-html" aria-hidden="true">x1</span></span></span>'
    )
    assert written(f"<p>甲{katex}乙</p>") == "甲\n\n$$\nx_1\n$$\n\n乙\n"


def test_display_script_inside_a_list_stays_there():
    """A displayed formula belongs to the item that it stands in."""
    out = written('<ul><li>甲<script type="math/tex; mode=display">x</script></li><li>乙</li></ul>')
    assert out == "- 甲\n\n  $$\n  x\n  $$\n\n- 乙\n"


def test_label_becomes_the_label_of_the_block():
    """`\\label` is what references use; `\\tag` stays in the formula."""
    assert written(r"<p>$$a \label{eq:a} \tag{1}$$</p>") == "$$\na  \\tag{1}\n$$ (eq:a)\n"


@pytest.mark.parametrize(
    ("source", "tex"),
    [
        ("<mfrac><mi>a</mi><mrow><mi>b</mi><mo>+</mo><mn>1</mn></mrow></mfrac>", r"\frac{a}{b+1}"),
        ("<mover><mi>x</mi><mo>^</mo></mover>", r"\hat{x}"),
        ("<msup><mi>f</mi><mo>′</mo></msup>", "f'"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", r"\sqrt[3]{x}"),
        (
            "<mrow><mo>{</mo><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mi>x</mi></mtd></mtr></mtable></mrow>",
            r"\begin{cases} 1 & x \end{cases}",
        ),
        ("<mrow><mi>log</mi><mi>x</mi></mrow>", r"\log x"),
        ("<mi mathvariant='double-struck'>R</mi>", r"\mathbb{R}"),
        ("<mtext>if</mtext>", r"\text{if}"),
    ],
)
def test_mathml(source, tex):
    """Presentation MathML gives TeX that typesets the same."""
    assert mathml.to_tex(etree.fromstring(f"<math>{source}</math>")) == tex


def test_formula_picture_with_tex_in_its_text():
    """A picture of a formula is the formula; another picture with a text is a picture."""
    assert written('<p>设<img class="latex" src="/l.png" alt="\\frac{1}{n}">个</p>') == "设$\\frac{1}{n}$个\n"
    assert "![" in written('<p><img src="https://example.org/cat.png" alt="x_1"></p>')


def test_drawing_without_source_is_a_gap_and_a_loss():
    """A formula that the page holds only as strokes leaves a visible mark."""
    body = '<p>设<mjx-container jax="SVG"><svg><path d="M0 0"></path></svg></mjx-container>为</p>'
    article = read_html(
        f"<html><head><meta charset='utf-8'></head><body><article>{body}</article></body></html>".encode(), "p"
    )
    assert render(article.tokens) == "设{gap}`公式`为\n"
    assert [loss.what for loss in article.losses] == ["math: a formula that is only a drawing"]
    assert article.found["math"] == 1


def test_rows_alone_in_a_paragraph_are_displayed():
    """An environment with rows that has a paragraph of its own is no inline formula."""
    assert written(r'<p><img eeimg="1" alt="\begin{cases} a \\ b \end{cases}" src="/equation?tex=a"></p>').startswith(
        "$$\n"
    )
