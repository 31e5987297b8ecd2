"""Listing dumps: index pages as text, one truncated article a line."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studyguide.articles.article import Article
from studyguide.articles.listing import is_listing, read_listing
from studyguide.myst.parse import count
from studyguide.myst.writer import render

TEXT = (Path(__file__).parents[1] / "data" / "listing" / "index.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def articles() -> list[Article]:
    return read_listing(TEXT, "index.txt")


def test_header_and_pagination_are_no_articles(articles):
    """Each line between them is one article that knows its place in the file."""
    assert [(article.source, article.line) for article in articles] == [
        ("index.txt#1", 4),
        ("index.txt#2", 5),
        ("index.txt#3", 6),
        ("index.txt#4", 7),
    ]


def test_titles_come_from_the_text(articles):
    """A work that is announced, a heading, the first heading that says something, the subject of the first sentence."""
    assert [article.title for article in articles] == [
        "Training Deep Nets with Sublinear Memory Cost",
        "Dropout",
        "字节对编码",
        "向量数据库",
    ]


def test_flattened_blocks_come_back(articles):
    """Paragraphs, a numbered list whose last item ends at its sentence, a heading that is the title and goes."""
    assert render(articles[0].tokens) == (
        "## 概述\n\n本文介绍一种降低显存占用的训练办法,"
        "也就是论文《Training Deep Nets with Sublinear Memory Cost》里的重算。\n\n"
        "它不保存全部激活值,而是:\n\n"
        "1. 只保留每一段开头的激活值;\n2. 反向传播时从最近的一段开头重新计算。\n\n"
        "这样显存从 {gap}`公式` 降到 {gap}`公式`,代价是多一次前向传播。"
        "其中每一段的长度取决于层数与显存的……\n\n{gap}`下文`\n"
    )


def test_placeholders_are_visible_and_counted(articles):
    """Displayed formulas and code stand on lines of their own; found and kept differ by what `losses` says."""
    dropout = articles[1]
    written = render(dropout.tokens)
    assert "\n\n{gap}`公式`\n\n实现只要几行:\n\n{gap}`代码`\n\n注意" in written
    assert "## 为什么有效?\n\n直观上" in written
    assert [str(loss) for loss in dropout.losses] == [
        "5: math: a formula is missing in the source, which has [公式]",
        "5: code: a code block is missing in the source, which has [代码]",
        "5: text: the source holds only the beginning of the article",
    ]
    assert (dropout.found["math"], dropout.found["code"]) == (1, 1)
    assert count(dropout.tokens) == dropout.found | {"math": 0, "code": 0}


def test_labelled_phrases_after_a_colon_are_a_list(articles):
    assert "组成:\n\n- 写入:把文档切成小段并计算向量\n- 索引:用近似最近邻结构组织向量\n- 查询:返回" in render(
        articles[3].tokens
    )


def test_a_complete_article_is_not_truncated(articles):
    assert [article.truncated for article in articles] == [True, True, True, False]
    assert "下文" not in render(articles[3].tokens)


def test_pagination_without_a_line_end_before_it():
    """The last article and the page numbers may stand on one line."""
    glued = TEXT.replace("做比较。\n1 2\n", "做比...1 2")
    assert read_listing(glued, "x")[-1].text.endswith("最后与现成的库做比")


@pytest.mark.parametrize("header", ["", "首页\n\n", "HOME\n\nPOSTS\n2024\n"])
def test_a_listing_is_told_by_its_shape(header):
    """Not by the words of its header."""
    assert is_listing(header + TEXT.split("\n", 3)[3])


def test_articles_that_were_cut_early_are_a_listing():
    """Their lines are short; one that is cut is an article even if it is the first and the others are long."""
    short = [
        "概述 本文介绍一种降低显存占用的训练办法,它不保存全部激活值,显存降到 [Math] 而...",
        "Dropout Dropout 是一种正则化方法,训练时随机丢掉一部分神经元,写成 [公式] 实现只要几行: [代码] 注意预测时...",
        "背景 一个词表要同时照顾常用词与罕见词,还要让序列不至于太长,按词切分做不到…",
        "向量数据库是保存文本向量的系统,供检索增强生成使用,是其中的一个环节。",
    ]
    text = "\n".join(["首页", "", "最近更新", *short, "1 2"])
    assert max(map(len, short)) < 80
    assert is_listing(text)
    assert [article.line for article in read_listing(text, "x")] == [4, 5, 6, 7]
    mixed = "\n".join(["首页", short[0], *TEXT.split("\n")[3:]])
    assert is_listing(mixed)
    assert read_listing(mixed, "x")[0].line == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "一段很短的文字。",
        "# 标题\n\n" + "长" * 200 + "...\n\n" + "长" * 200 + "...\n",
        "\n\n".join("这是一篇普通的文章，它的每一段都写完了。" * 8 for _ in range(6)),
        "- " + "项" * 100 + "...\n- " + "项" * 100 + "...\n",
        "\n".join("他望着窗外的雨，想起许多年前的那个下午，想起那时说过的话，想起所有的人……" for _ in range(4)),
        "\n\n".join(["这是一段不长的文字，它的公式 [公式] 没有留下来，不过每一句话都写完了。"] * 4),
        "\n".join(["正在加载...", "请稍候...", "还差一点...", "完成"]),
    ],
    ids=["empty", "short", "markdown", "whole paragraphs", "list", "trailing off", "placeholders", "short lines"],
)
def test_other_texts_are_no_listings(text):
    assert not is_listing(text)


@settings(deadline=None)
@given(st.lists(st.text("注意力机制是一种方法。,:(1. )Attention公式[Math][代码]", min_size=1), min_size=1, max_size=4))
def test_no_word_is_lost_whatever_the_text(pieces):
    """Every letter of the source stands in the tokens or in the title."""
    line = " ".join(" ".join(pieces).split()) or "x"
    [article] = read_listing("文" * 80 + line, "x")
    shown = article.title + "".join(
        child.content for token in article.tokens for child in token.children or () if child.type == "text"
    )
    letters = [char for char in re.sub(r"\[(?:Math|公式|代码)\]", "", line) if char.isalpha()]
    assert all(shown.count(char) >= letters.count(char) for char in set(letters))
