"""What a SOURCE argument is and which reader it gets."""

import time
from pathlib import Path

import pytest

from studyguide.articles.sources import discover, kind_of, read, read_data
from studyguide.problem import ProblemError

LISTING = (Path(__file__).parents[1] / "data" / "listing" / "index.txt").read_text(encoding="utf-8")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# 标题\n\n文\n", encoding="utf-8")


def test_a_folder_gives_its_articles_sorted_without_hidden_and_foreign_ones(tmp_path):
    touch(tmp_path / "in", "b.md", "a/z.html", "a/y.ipynb", ".git/x.md", "a/pic.png", "node_modules/m.md")
    touch(tmp_path, "outside.md")
    (tmp_path / "in" / "link.md").symlink_to(tmp_path / "outside.md")
    found = discover([str(tmp_path / "in")])
    assert [Path(source.name).relative_to(tmp_path / "in").as_posix() for source in found] == [
        "a/y.ipynb",
        "a/z.html",
        "b.md",
    ]


def test_the_frames_of_a_saved_page_are_no_articles(tmp_path):
    touch(tmp_path, "page.html", "page_files/frame.html", "other_files/post.md")
    assert [Path(source.name).name for source in discover([str(tmp_path)])] == ["post.md", "page.html"]


def test_a_file_named_twice_is_read_once(tmp_path):
    touch(tmp_path, "a.md")
    assert len(discover([str(tmp_path), str(tmp_path / "a.md")])) == 1


def test_a_name_is_what_the_user_typed(tmp_path, monkeypatch):
    touch(tmp_path, "posts/a.md")
    monkeypatch.chdir(tmp_path)
    assert [source.name for source in discover(["posts/a.md"])] == ["posts/a.md"]
    assert [source.name for source in discover(["https://example.org/a?b=1"])] == ["https://example.org/a?b=1"]


def test_all_wrong_arguments_are_named_at_once(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ProblemError) as caught:
        discover([str(empty), "nowhere.md", "ftp://example.org/x"])
    assert sorted(problem.code for problem in caught.value.problems) == ["no-articles", "not-found", "unknown-address"]


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("<!DOCTYPE html><p>x", "post.md", "html"),
        ("<?xml version='1.0'?><!-- saved --><html>", "x", "html"),
        ("<div>x</div>", "x.html", "html"),
        ("---\ntitle: x\n---\n# 题", "x.html", "markdown"),
        ("# 题\n\n<div>x</div>", "x.txt", "markdown"),
        ('{"cells": [], "nbformat": 4}', "x.json", "notebook"),
        ("{", "x.ipynb", "notebook"),
        (LISTING, "x.txt", "listing"),
        (LISTING, "x.md", "listing"),
        ("纯文本。", "x", "markdown"),
    ],
)
def test_content_decides_and_the_suffix_only_in_doubt(text, name, kind):
    assert kind_of(text, name) == kind


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b"%PDF-1.7 ...", "not-text"),
        (b"PK\x03\x04\x14\x00", "not-text"),
        (bytes(range(1, 32)) * 20, "not-text"),
        (b"\x00\x01\x02\x03" * 50, "not-text"),
        (b"From: <Saved by Blink>\nMIME-Version: 1.0\n", "not-text"),
    ],
    ids=["empty", "mark only", "pdf", "zip", "control characters", "binary", "web archive"],
)
def test_bytes_that_are_no_article_are_one_clear_line(data, code):
    with pytest.raises(ProblemError) as caught:
        read_data(data, "bad.md")
    [line] = str(caught.value).split("\n")
    assert line.startswith(f"bad.md:1: {code} ")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_encodings_are_told_by_the_bytes(encoding):
    text = "# 注意力机制\n\n" + "自注意力机制让序列里的每一个位置都看到其他位置，因此可以并行计算。" * 5
    [article] = read_data(text.encode(encoding), "a.md")
    assert article.title == "注意力机制"
    assert "\ufffd" not in article.text


def test_images_of_a_folder_are_found_from_its_root(tmp_path):
    touch(tmp_path, "posts/a.md")
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "posts" / "a.md").write_text("![](/img/x.png)", encoding="utf-8")
    [source] = discover([str(tmp_path)])
    assert list(read(source)[0].assets) == ["x.png"]
    [alone] = discover([str(tmp_path / "posts" / "a.md")])
    assert read(alone)[0].assets == {}


@pytest.mark.parametrize(
    "unit", ["<details>\n\n", "<b>", "> ", "[![", "{% note %}\n", "中 ", "$", "<!--", "# a\n", "::: tip\n"]
)
def test_no_text_takes_for_ever_or_more_stack_than_there_is(unit):
    """Rules are linear enough for 10,000 characters of the worst."""
    closing = "</details>\n\n" * 1000 if "details" in unit else ""
    started = time.process_time()
    try:
        read_data((unit * (10_000 // len(unit)) + "文" + closing).encode(), "a.md")
    except ProblemError as error:
        assert error.problems[0].code == "too-deep"
    assert time.process_time() - started < 5
