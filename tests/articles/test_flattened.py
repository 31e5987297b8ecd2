"""Blocks of text that was flattened into one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyguide.articles.flattened import restore


def shape(text: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text or "|".join(block.items)) for block in restore(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("第一句。 第二句。", [("paragraph", "第一句。"), ("paragraph", "第二句。")]),
        ("我们用 Spark 处理 1 TB 的日志。", [("paragraph", "我们用 Spark 处理 1 TB 的日志。")]),
        ("It ends here. Then it goes on.", [("paragraph", "It ends here. Then it goes on.")]),
        ("这样学到 一种 通用的表示 用于 下游任务。", [("paragraph", "这样学到一种通用的表示用于下游任务。")]),
        ("比较两者 vs. 其余方法", [("paragraph", "比较两者 vs. 其余方法")]),
    ],
    ids=["sentence end", "Latin words", "English", "inline markup", "abbreviation"],
)
def test_which_spaces_are_breaks(text, expected):
    assert shape(text) == expected


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("概述 循环神经网络按时间展开,每一步共享参数。", "概述"),
        ("LSTM 简介 门控单元决定忘掉什么、记住什么。", "LSTM 简介"),
        ("门控单元 门控单元决定忘掉什么、记住什么。", "门控单元"),
        ("什么是张量? 张量是多维数组的统称,标量是零维的张量。", "什么是张量?"),
        ("层归一化(Layer Norm) 对每个样本单独计算均值与方差。", "层归一化(Layer Norm)"),
        ("Droupout Dropout随机丢掉一部分神经元。", "Droupout"),
        ("1. collect 它把所有数据取回驱动程序: collect() returns a list", "collect"),
    ],
    ids=["generic", "name and generic", "repeated", "question", "brackets", "misspelt", "numbered"],
)
def test_headings_that_stand_before_their_text(text, heading):
    assert shape(text)[0] == ("heading", heading)


@pytest.mark.parametrize(
    "text",
    [
        "Spark 是一个计算引擎,它把数据放在内存里。",
        "Java 程序运行在虚拟机上,Java 源码先编译成字节码。",
        "本文介绍 Spark 的执行模型,从任务到阶段。",
        "如 图1 所示,梯度沿时间反向传播。",
    ],
)
def test_a_sentence_is_no_heading(text):
    assert [kind for kind, _ in shape(text)] == ["paragraph"]


@pytest.mark.parametrize("numbers", [("1", "1", "1"), ("1", "2", "3")], ids=["markdown ones", "counted"])
def test_numbered_items_are_one_list(numbers):
    """The last item ends at its sentence, the others where the next begins."""
    text = (
        "步骤如下: "
        + " ".join(f"{number}. 第{number}步,先做这个。再做那个。" for number in numbers)
        + " 最后检查结果。"
    )
    kinds = [block.kind for block in restore(text)]
    assert kinds == ["paragraph", "numbers", "paragraph"]
    assert len(restore(text)[1].items) == 3


def test_a_version_number_begins_no_list():
    assert shape("它以 Apache 2.0 许可发布,要求 Python 3. 其他版本也可以。")[0][0] == "paragraph"


def test_labels_are_a_list_with_three_or_after_a_colon():
    blocks = restore("集群角色 Master: 分配任务 Worker: 执行任务 Client: 提交任务 三者可以在同一台机器上。")
    assert [block.kind for block in blocks] == ["heading", "bullets", "paragraph"]
    assert blocks[1].items == ["Master: 分配任务", "Worker: 执行任务", "Client: 提交任务"]


@given(st.text(alphabet="注意力是。；,:?(A1. )[公式]", max_size=60))
def test_nothing_but_spaces_is_lost(text):
    """All characters come back in order, but for the numbers of list items."""
    shown = "".join(block.text + "".join(block.items) for block in restore(text)).replace(" ", "")
    source = "".join(text.split())
    at = 0
    for char in shown:
        at = source.index(char, at) + 1
    assert len([char for char in source if char not in "1.)"]) == len([char for char in shown if char not in "1.)"])
