import re

import pytest

from studykit import corpora


def test_translations_are_paired():
    """Chapters compare languages on equal content, and hold out paragraphs by index: the lists must stay parallel."""
    chinese, english = corpora.chinese(), corpora.english()
    assert len(chinese) == len(english) == 63
    per_pair = [len(en) / len(zh) for zh, en in zip(chinese, english, strict=True)]
    assert min(per_pair) > 2.5 and max(per_pair) < 6, "a paragraph and its translation differ too much in length"


@pytest.mark.parametrize("paragraphs", [corpora.chinese, corpora.english])
def test_paragraphs_are_whole_and_differ(paragraphs):
    texts = paragraphs()
    assert all(text and text == text.strip() for text in texts)
    assert len(set(texts)) == len(texts)


def test_chinese_is_han_and_chinese_punctuation_only():
    """The claim that a character without merges costs exactly three bytes rests on it."""
    text = "".join(corpora.chinese())
    assert not re.sub("[一-鿿，。？！：；、“”（）]", "", text)
    assert len(text.encode()) == 3 * len(text)


def test_english_is_ascii():
    assert all(text.isascii() for text in corpora.english())


def test_python_manual_is_long_english_with_code():
    manual = corpora.python_manual()
    assert 300_000 < len(manual) < 1_000_000
    assert "lambda" in manual and "Traceback" in manual
    assert manual == corpora.python_manual()
