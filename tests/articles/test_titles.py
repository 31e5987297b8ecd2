"""Titles that are found in the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyguide.articles.titles import GENERIC, find_title, polish


@pytest.mark.parametrize(
    ("sections", "title"),
    [
        ([("批归一化", "它对每一批计算均值。")], "批归一化"),
        ([("概述", "RMSNorm 是层归一化的一种简化方法,去掉了均值。")], "RMSNorm"),
        ([("引言", "旋转位置编码(Rotary Position Embedding)也叫 RoPE。")], "旋转位置编码（Rotary Position Embedding）"),
        ([("概述", "本文介绍来自一所大学的《Attention Is All You Need》,分三部分。")], "Attention Is All You Need"),
        ([("", "这篇博客总结一下优化器的几类:SGD,Momentum以及Adam。")], "优化器的几类：SGD，Momentum以及Adam"),
        ([("", "我们常常要减少显存。这里的梯度累积是指把几步的梯度加在一起。")], "梯度累积"),
        ([("背景", "随着模型变大,显存不够用了。"), ("量化感知训练", "训练时模拟量化。")], "量化感知训练"),
        ([("", "大家知道,有些时候KV Cache的大小决定吞吐。因此减小KV Cache的大小很重要。")], "KV Cache的大小"),
        ([("堆", "对象所在。"), ("栈", "调用所在。")], "堆与栈"),
        ([("Droupout", "Dropout随机丢掉神经元。Dropout很常用。")], "Dropout"),
        (
            [("", "out of memory: tried to allocate 2 GB 出现在调用.backward()时。把.backward()移出循环。")],
            "out of memory: .backward()",
        ),
        ([], ""),
    ],
    ids=[
        "heading",
        "subject",
        "bracket",
        "work",
        "announced",
        "defined",
        "later",
        "repeated",
        "thin",
        "misspelt",
        "message",
        "empty",
    ],
)
def test_the_most_specific_name_wins(sections, title):
    assert find_title(sections).text == title


@pytest.mark.parametrize(
    "heading", ["概述", "引言与背景", "1. 引言", "Overview", "相同点", "一、背景", "Untitled", "TL;DR"]
)
def test_generic_headings_are_no_titles(heading):
    assert GENERIC.fullmatch(heading)
    assert find_title([(heading, "Zookeeper 是一个协调服务的框架。")]).text == "Zookeeper"


def test_only_a_heading_that_becomes_the_title_leaves_the_body():
    assert find_title([("批归一化", "文")]).is_heading
    assert not find_title([("背景", "文"), ("批归一化", "文")]).is_heading


def test_brackets_are_full_width_beside_chinese_only():
    assert polish("多头注意力(Multi-Head Attention):") == "多头注意力（Multi-Head Attention）"
    assert polish("explode()") == "explode()"
    assert polish("Why is softmax slow?") == "Why is softmax slow?"


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=80)), max_size=4))
def test_any_text_gives_one_line(sections):
    title = find_title(sections).text
    assert "\n" not in title and title == title.strip()
