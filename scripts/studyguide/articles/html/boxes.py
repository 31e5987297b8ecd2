"""Boxes around text: admonitions of all themes, folded details, tabs."""

from studyguide.articles.html.dom import Element, classes, drop, text_of, words

_KINDS = {
    "note": "note",
    "info": "note",
    "information": "note",
    "secondary": "note",
    "primary": "note",
    "abstract": "note",
    "summary": "note",
    "quote": "note",
    "default": "note",
    "todo": "note",
    "example": "note",
    "question": "note",
    "tip": "tip",
    "success": "tip",
    "hint": "hint",
    "important": "important",
    "warning": "warning",
    "warn": "warning",
    "caution": "caution",
    "attention": "attention",
    "danger": "danger",
    "error": "danger",
    "failure": "danger",
    "bug": "danger",
    "seealso": "seealso",
    "details": "note",
}
_BOXES = frozenset(
    [
        "admonition",
        "custom-block",
        "theme-admonition",
        "markdown-alert",
        "callout",
        "hint",
        "hint-container",
        "alert",
        "note",
        "callout-block",
        "message",
        "notice",
        "book-hint",
        "admonitionblock",
        "kg-callout-card",
        "bs-callout",
        "hx-callout",
    ]
)
_TITLES = frozenset(
    [
        "admonition-title",
        "custom-block-title",
        "markdown-alert-title",
        "callout-title",
        "hint-container-title",
        "notice-title",
        "alert-title",
        "note-title",
        "hint-title",
        "message-header",
        "admonition-heading",
    ]
)
_PLAIN = frozenset(
    [
        "note",
        "info",
        "tip",
        "hint",
        "important",
        "warning",
        "caution",
        "danger",
        "attention",
        "error",
        "see",
        "also",
        "seealso",
        "success",
        "notice",
        "提示",
        "注意",
        "警告",
        "信息",
        "危险",
        "说明",
        "重要",
        "备注",
        "小贴士",
        "参见",
    ]
)


def admonition(element: Element) -> str | None:
    """The directive for a box, or None if the element is none."""
    names = {name.lower() for name in classes(element)}
    if not names & _BOXES and not any(
        name.startswith(("admonition-", "callout-", "alert--", "hint-")) for name in names
    ):
        return None
    if element.get("data-callout"):
        return _KINDS.get(element.get("data-callout").lower(), "note")
    if element.tag not in ("div", "aside", "blockquote", "section", "p", "figure"):
        return None
    if element.tag == "p" and not names & {"note", "tip", "warning"}:
        return None
    for word in sorted(
        words(element), key=lambda word: word in ("note", "hint", "alert", "callout", "default", "block")
    ):
        if word in _KINDS:
            return _KINDS[word]
    return "note" if names & _BOXES - {"alert", "note", "message", "notice", "hint"} else None


def drop_icons(element: Element) -> None:
    """Take the picture characters off a box."""
    for inner in list(element.iter("div", "span", "i")):
        if {"icon", "emoji"} & set(words(inner)) and len(text_of(inner)) <= 2 and inner.getparent() is not None:
            drop(inner)


def title(element: Element) -> Element | None:
    """The element that holds the title of a box."""
    for inner in element.iterdescendants():
        names = {name.lower() for name in classes(inner)}
        if names & _TITLES or any(name.startswith("admonitionheading") for name in names):
            return inner
    return None


def says_only_kind(text: str) -> bool:
    """Whether a title says no more than the kind of the box, which its directive shows anyway."""
    return text.strip(" :：!！").lower() in _PLAIN or not text.strip()


def tab_labels(element: Element) -> tuple[Element, list[str]] | None:
    """The row of labels of a group of tabs, and the labels; None where there is none."""
    for inner in element:
        names = {name.lower() for name in classes(inner)}
        if inner.get("role") == "tablist" or names & {"tabs", "nav-tabs", "tab-nav", "tabs__list", "tab-list"}:
            labels = [text_of(part) for part in inner.iter("label", "li", "button", "a") if text_of(part)]
            if labels and next(inner.iter("pre", "p"), None) is None:
                return inner, list(dict.fromkeys(labels))
    return None
