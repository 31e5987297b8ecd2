"""What goes into the search."""

import json

from studyguide.site import search


def load(site):
    text = (site / search.INDEX).read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.studyguidePages=").removesuffix(";\n"))


def test_typed_formulas():
    assert search.plain_tex(r"\mathcal{O}(n^{2})") == "O(n^2)"
    assert search.plain_tex(r"\operatorname{softmax}(x)") == "softmax(x)"


def test_code_gives_its_chinese_and_each_word_once():
    seen = set()
    assert search.code_lines("phi = elu + one  # 恒为正\nphi(x)", seen) == ["恒为正", "phi elu one"]
    assert search.code_lines("phi, other", seen) == ["other"]


def test_sections_are_units_in_the_order_of_the_book(site):
    pages = load(site)
    assert [page[0] for page in pages][:4] == [
        "chapters/data/store.html",
        "chapters/data/shuffle.html",
        "chapters/attention/linear-attention.html",
        "chapters/basics/autograd.html",
    ]
    titles = [title for _, title, _ in pages[2][2]]
    assert titles[0].startswith("线性注意力") and "常见误区" in titles


def test_text_is_whole_across_emphasis_references_and_formulas(site):
    (text,) = [units[0][2] for href, _, units in load(site) if "linear-attention" in href]
    assert "这叫线性注意力，写作 linear attention，用到线性注意力与分块注意力" in text
    assert "代价是 O(n2)，序列" in text and "O(n^2)" in text
