"""Chapter numbers."""

from studyguide.site.numbers import letter, spoken


def test_letters_go_on_after_z():
    assert [letter(n) for n in (0, 25, 26, 27, 701, 702)] == ["A", "Z", "AA", "AB", "ZZ", "AAA"]


def test_numbers_as_headings_say_them():
    assert [spoken(n) for n in (1, 10, 12, 99, 100, "A")] == [
        "第一章",
        "第十章",
        "第十二章",
        "第九十九章",
        "第 100 章",
        "附录 A",
    ]
