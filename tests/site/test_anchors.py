"""Names of headings."""

import pytest

from studyguide.site.anchors import slug


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("线性注意力", "xian-xing-zhu-yi-li"),
        ("从 softmax 出发", "cong-softmax-chu-fa"),
        ("KV 缓存：MQA/GQA", "kv-huan-cun-mqa-gqa"),
        ("2 的 10 次方", "s-2-de-10-ci-fang"),
        ("……", "section"),
        ("ＡＢＣ", "abc"),
    ],
)
def test_names_are_lower_case_ascii_words(title, name):
    assert slug(title) == name


def test_a_long_title_ends_at_a_whole_syllable():
    name = slug("很长" * 40)
    assert len(name) <= 61 and not name.endswith("-")
