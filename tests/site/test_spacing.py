"""Line breaks between Han characters."""

import pytest
from docutils import nodes
from docutils.utils import new_document

from studyguide.site.spacing import JoinLines


def joined(*pieces) -> str:
    document = new_document("x")
    paragraph = nodes.paragraph("", "", *pieces)
    document += paragraph
    JoinLines(document).apply()
    return paragraph.astext()


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("一行。\n二行", "一行。二行"),
        ("一行 \n  二行", "一行二行"),
        ("use\nit", "use\nit"),
        ("用\nGPU\n算", "用\nGPU\n算"),
        ("“引文”\n后面", "“引文”后面"),
    ],
)
def test_only_breaks_between_han_vanish(source, result):
    assert joined(nodes.Text(source)) == result


def test_across_emphasis_and_separate_break_nodes():
    assert joined(nodes.Text("前"), nodes.Text("\n"), nodes.strong("", "后")) == "前后"


def test_code_keeps_its_breaks():
    assert joined(nodes.literal("", "一\n二")) == "一\n二"
