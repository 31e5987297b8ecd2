"""Finding the title of an article that does not state one, in its own words."""

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple

from markdown_it.token import Token

from studyguide.articles.plain import words

HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
GENERIC = re.compile(
    r"(?:[一二三四五六七八九十\d]+[、.．\s]*)?(?:"
    r"(?:引言|前言|背景|概述|概览|简介|介绍|概要|摘要|综述|导读|序言|序|导言|绪论|总览|正文|开篇|写在前面|问题|问题描述|目录|动机|相同点|不同点|总结)"
    r"(?:[与和及、](?:引言|前言|背景|概述|简介|介绍|动机|摘要|目录))*"
    r"|(?:研究|基本|背景|内容|文章|项目|问题|论文)?(?:背景|介绍|概念|简介|知识)"
    r"|(?:overview|introduction|intro|background|abstract|summary|preface|motivation|contents|toc|tl;?dr|untitled|index|readme)"
    r")[:：]?",
    re.IGNORECASE,
)
"""Headings that say nothing about the article below them."""

_VERB = r"(?:介绍|讨论|讲解|分析|总结|梳理|解读|展示|探讨|记录|说明|回顾|阐述|探究|整理)"
_ANNOUNCEMENT = re.compile(
    rf"(?:本文|本篇|本章|本节|这篇(?:博客|文章|论文|笔记|教程)|目的(?:是|[:：])? ?(?=为了))[^。！？\n]{{0,32}}?{_VERB}"
    r"(?:一下|下|了|如何)?(?P<what>[^。！？~；\n]{3,80})"
)
_FILLER = re.compile(r"^(?:的|一?[个种篇]|比较有意思的|之前|目前|这里的|所谓的?|那么|关于)+")
_NAME = "[A-Za-z][A-Za-z0-9_.+/-]*"
_META = "(?:概念|思路|思想|创新|功能|原理|核心|关键|全称|出发点|目标|作用|定义|特点|优点|本质)"
_TERM = (
    rf"(?:{_NAME}(?: {_NAME}){{0,4}}(?:[和与、]{_NAME})?|[{HAN}]{{2,10}}?)"
    r"(?:\s?[(（][^()（）]{2,40}[)）])?"
)
_SUBJECT = re.compile(
    rf"(?P<what>{_TERM}) ?[,，]?(?:本身)?(?:"
    r"(?:也叫|又称|又叫|又名|也称|称为|指的是|是指|是为了|本身是|同样)"
    rf"|的[{HAN}]{{0,4}}{_META}"
    rf"|是[^。，,]{{0,30}}(?:一[个种款类项门套]|概念|方法|技术|框架|工具|模型|算法|过程|环节|工作|格式|软件|系统|结构|服务|语言|协议|平台))"
)
_DEFINED = re.compile(rf"(?:^|[,，。\n])(?:这里的|所谓的?)?(?P<what>[{HAN}A-Za-z]{{2,12}}?)(?:是指|指的是)")
_NO_TERM = re.compile(r"[这那我你他它其]|本文|本篇|一[个种般些]|由于|随着|众所周知|通常|近年|在")
_TOKEN = re.compile(rf"\.?{_NAME}(?:\(\))?|\[\w+\]|[{HAN}]|\s+|.", re.DOTALL)
_EDGE = set("的了是和与或在对把被从到由以于而但则若其这那该此上中下也都就等使又将会可能要有为及类们")
_WIDTH = 60
_THIN = 3


class Title(NamedTuple):
    """A title that was found."""

    text: str
    is_heading: bool
    """True if it is the first heading of the article, which then must not stand in the body again."""


def find_title(sections: Sequence[tuple[str, str]]) -> Title:
    """The most specific name that an article gives itself, empty if it has no words at all.

    `sections` are its headings ("" before the first) with the plain text below each. In this order: a first heading
    that says something; what the text announces (`本文介绍…`, a 《work》 first of all); the term that its first
    sentence is about, or that it defines; the first heading that says something after a generic one; the longest
    phrase around a Latin name that the beginning repeats; the first clause.
    """
    sections = [section for section in sections if section[0] or section[1].strip()]
    if not sections:
        return Title("", False)
    headings = [heading.strip() for heading, _ in sections]
    opening = next((text.strip() for _, text in sections if text.strip()), "")[:600]
    if _specific(headings[0]):
        title = _corrected(headings[0], "\n".join(text.strip() for _, text in sections))
        following = [heading for heading in headings[1:2] if _thin(heading) and _specific(heading)]
        if _thin(title) and following:
            return Title(polish(f"{title}与{following[0]}"), False)
        return Title(polish(title), True)
    later = next(filter(_specific, headings[1:]), "") if headings[0] else ""
    candidates = (_announced(opening), _subject(opening), _defined(opening), later, _message(opening))
    title = next(filter(None, candidates), "") or _repeated(opening) or _first_clause(opening)
    return Title(polish(title or next(filter(None, headings), "")), False)


def sections(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """The headings of a token stream, "" before the first, with the plain text below each."""
    found: list[tuple[str, list[str]]] = [("", [])]
    in_heading = False
    for token in tokens:
        if token.type == "heading_open":
            found.append(("", []))
        elif token.type == "inline":
            text = words(token.children or ())
            if in_heading:
                found[-1] = (text, [])
            else:
                found[-1][1].append(text)
        in_heading = token.type == "heading_open"
    return [(heading, "\n".join(texts)) for heading, texts in found]


def polish(title: str) -> str:
    """A title on one line, with full-width punctuation beside Chinese words and no mark at its end."""
    title = " ".join(title.split()).strip(" ,，.。:：;；、-—*#")
    if not re.search(f"[{HAN}]", title) and not re.search(r"[(（][A-Z][^()]{2,}[)）]$", title):
        return title
    title = re.sub(r" ?[(（]([^()（）]{3,})[)）]", r"（\1）", title)
    for half, full in ((":", "："), ("?", "？"), (",", "，"), ("!", "！")):
        title = re.sub(rf"\s?{re.escape(half)}\s?(?!/)", full, title)
    return title


def _specific(heading: str) -> bool:
    return bool(re.search(r"\w", heading)) and not GENERIC.fullmatch(heading.strip())


def _thin(title: str) -> bool:
    """Too short a Chinese word to tell one article from the next."""
    return len(title) <= _THIN and bool(re.fullmatch(f"[{HAN}]+", title))


def _corrected(heading: str, text: str) -> str:
    """The spelling of the text for a name that the heading alone misspells."""
    first = re.match(r"[A-Za-z][A-Za-z0-9-]{4,}", text)
    if first and re.fullmatch(_NAME, heading) and heading not in text and text.count(first[0]) > 1:
        near = difflib.SequenceMatcher(None, heading, first[0]).ratio()
        return first[0] if near >= 0.8 else heading
    return heading


def _announced(text: str) -> str:
    match = _ANNOUNCEMENT.search(text)
    if not match:
        return ""
    if work := re.search("《([^《》]{3,})》", match["what"]):
        return work[1]
    what = _FILLER.sub("", match["what"].strip())
    return _cut(what)


def _subject(text: str) -> str:
    match = _SUBJECT.match(text)
    if not match or _NO_TERM.match(match["what"]):
        return ""
    title = match["what"].strip()
    if _thin(title) and (second := re.search(rf"[,，]({_NAME}[{HAN}]{{0,4}})(?=[(（是的])", text[:60])):
        return f"{title}与{second[1]}"
    return title


def _defined(text: str) -> str:
    match = _DEFINED.search(text)
    return "" if not match or _NO_TERM.match(match["what"]) else match["what"]


def _message(text: str) -> str:
    """`head of an English message: …` with the name that the Chinese text below it repeats."""
    match = re.match(r"([A-Za-z][A-Za-z0-9_ ]{4,40}): [A-Za-z]", text)
    if not match or not re.search(f"[{HAN}]", text):
        return ""
    return f"{match[1]}: {name}" if (name := _repeated(text)) else match[1]


def _repeated(text: str) -> str:
    """The longest phrase with a Latin name that occurs twice, the earlier one of equals."""
    tokens = [token for token in _TOKEN.findall(text) if not token.isspace()]
    solid = [bool(re.match(rf"\.?[A-Za-z]|[{HAN}]", token)) for token in tokens]
    best: tuple[int, int, list[str]] = (0, 0, [])
    for start in range(len(tokens)):
        for other in range(start + 1, len(tokens)):
            size = 0
            while (
                start + size < other
                and other + size < len(tokens)
                and solid[start + size]
                and tokens[start + size] == tokens[other + size]
            ):
                size += 1
            phrase = tokens[start : start + size]
            while phrase and phrase[-1] in _EDGE:
                phrase.pop()
            while phrase and phrase[0] in _EDGE:
                phrase.pop(0)
            if any(len(token) > 2 for token in phrase) and (len(phrase), -start) > best[:2]:
                best = (len(phrase), -start, phrase)
    pattern = r"\s*".join(map(re.escape, best[2]))
    return re.search(pattern, text)[0] if pattern else ""


def _first_clause(text: str) -> str:
    return _cut(re.split(r"[。！？；\n]", text, maxsplit=1)[0])


def _cut(text: str) -> str:
    """At most a line of text, cut at a clause, else at a word."""
    if len(text) <= _WIDTH:
        return text
    clause = re.split(r"[,，:：]", text)[0]
    return clause if len(clause) <= _WIDTH else re.sub(r"\s\S*$|$", "…", text[:_WIDTH], count=1)
