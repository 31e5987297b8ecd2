"""The whole book as an EPUB and as a PDF."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from lxml import etree
from support import ROOT

from studyguide.problem import ProblemError
from studyguide.site import edition, epub, printed

XHTML, MATHML = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/1998/Math/MathML}"
ORDER = [
    "chapters/index",
    "chapters/data/store",
    "chapters/data/shuffle",
    "chapters/attention/linear-attention",
    "chapters/basics/autograd",
    "chapters/about/claims",
    "chapters/about/glossary",
]


def run(command: str, book: Path) -> subprocess.CompletedProcess:
    argv = [sys.executable, ROOT / "scripts" / command, "--book", book]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def book(site: Path, tmp_path_factory) -> Path:
    """A book with its built pages, to write beside them."""
    folder = tmp_path_factory.mktemp("editions") / "small"
    shutil.copytree(site, folder / "_build" / "html")
    return folder


@pytest.fixture(scope="module")
def archive(book: Path) -> zipfile.ZipFile:
    done = run("epub.py", book)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(book / "_build" / "book.epub")


@pytest.fixture(scope="module")
def pdf(book: Path, chromium_path):
    """The printed book, and its pages' text without the spaces that the places of glyphs make."""
    from pypdf import PdfReader

    done = run("pdf.py", book)
    assert done.returncode == 0, done.stderr
    reader = PdfReader(book / "_build" / "book.pdf")
    return reader, ["".join(page.extract_text().split()) for page in reader.pages]


def test_an_edition_has_every_page_in_reading_order(site: Path):
    found = edition.read(site)
    assert [leaf.docname for leaf in found.leaves] == ORDER
    assert (found.language, bool(found.cover)) == ("zh-CN", True)
    leaf = found.leaves[3]
    assert leaf.title.startswith("第三章 线性注意力") and leaf.part == "第二部分 注意力"
    assert ("chang-jian-wu-qu") in [anchor for anchor, _ in leaf.sections]


def test_solutions_are_open_and_what_the_screen_needs_is_gone(site: Path):
    article = edition.read(site).leaves[3].article
    text = article.text_content()
    assert "解答" in text and "折叠起来的内容" in text
    assert not article.xpath(".//details | .//summary | .//button | .//a[@title]")
    for name in ("headerlink", "code-fold"):
        assert not article.find_class(name)
    assert not [image for image in article.iter("img") if image.get("loading")]


def test_without_a_built_book_it_says_what_to_do(tmp_path: Path):
    with pytest.raises(ProblemError, match="make book"):
        edition.read(tmp_path)
    assert "make book" in run("epub.py", tmp_path).stderr


def test_epub_begins_as_the_format_asks_and_lists_every_file(archive: zipfile.ZipFile):
    first = archive.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
    assert archive.read("mimetype") == b"application/epub+zip"
    package = etree.fromstring(archive.read("book/book.opf"))
    listed = {unquote(item.get("href")): item for item in package.iter("{*}item")}
    files = {name.removeprefix("book/") for name in archive.namelist() if name.startswith("book/")}
    assert set(listed) == files - {"book.opf"}
    spine = [item.get("idref") for item in package.iter("{*}itemref")]
    names = {item.get("id"): name for name, item in listed.items()}
    assert [names[one] for one in spine] == ["cover.xhtml", "nav.xhtml", *map(epub.file_of, ORDER)]
    assert listed["nav.xhtml"].get("properties") == "nav" and listed["cover.svg"].get("properties") == "cover-image"
    assert listed[epub.file_of(ORDER[3])].get("properties") == "mathml"


def test_epub_pages_are_xml_with_mathml_and_every_link_and_image_is_alive(archive: zipfile.ZipFile):
    pages = {n: etree.fromstring(archive.read(n)) for n in archive.namelist() if n.endswith(".xhtml")}
    ids = {name: set(page.xpath("//@id")) for name, page in pages.items()}
    for name, page in pages.items():
        for link in page.iter(f"{XHTML}a"):
            target, _, anchor = link.get("href", "").partition("#")
            if re.match(r"\w+:", target):
                continue
            place = f"book/{unquote(target)}" if target else name
            assert place in pages and (not anchor or unquote(anchor) in ids[place]), f"{name}: {link.get('href')}"
        for image in page.iter(f"{XHTML}img"):
            assert f"book/{unquote(image.get('src'))}" in archive.namelist() and image.get("alt") is not None
        assert not [e.tag for e in page.iter() if isinstance(e.tag, str) and e.tag.startswith(f"{XHTML}m")
                    and e.tag.removeprefix(XHTML) in ("math", "mrow", "mi", "mo", "mn")]  # fmt: skip
    assert len(list(pages[f"book/{epub.file_of(ORDER[3])}"].iter(f"{MATHML}math"))) > 10


def test_epub_pictures_have_no_document_type():
    made = epub.picture(b'<!DOCTYPE svg PUBLIC "x" "y"><svg xmlns="http://www.w3.org/2000/svg"><path id="a"/></svg>')
    assert b"DOCTYPE" not in made and b'd="' in made


def test_epub_of_the_same_pages_has_the_same_bytes(site: Path):
    assert epub.make(site) == epub.make(site)


def test_epubcheck_finds_nothing(archive: zipfile.ZipFile):
    """Debian's validator; without it the test is reported as not run, with CI=true as failed."""
    found = shutil.which("epubcheck")
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("not run: apt-get install epubcheck")
    done = subprocess.run(["java", "-jar", found, archive.filename], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.browser
def test_pdf_has_bookmarks_for_every_part_chapter_and_section(pdf, site: Path):
    reader, texts = pdf
    found = {}

    def walk(entries, above=""):
        for entry in entries:
            if isinstance(entry, list):
                walk(entry, found and list(found)[-1])
            else:
                found[entry.title] = reader.get_destination_page_number(entry)

    walk(reader.outline)
    for leaf in edition.read(site).leaves:
        assert "".join(leaf.title.split()) in texts[found[leaf.title]]
        for _, title in leaf.sections:
            assert "".join(title.split()) in texts[found[title]], title
    for part in ("第一部分 大数据", "第二部分 注意力", "附录 基础", "关于本书"):
        assert "".join(part.split()) in texts[found[part]]


@pytest.mark.browser
def test_pdf_text_is_whole_chinese_and_its_fonts_are_inside(pdf, site: Path):
    reader, texts = pdf
    whole = "".join(texts)
    assert not re.search("[\u2e80-\u2fdf\ufb00-\ufb06]", whole), "radicals or ligatures in place of characters"
    assert "线性注意力总是更快" in whole and "shuffle" in whole
    assert all(texts[n] for n in range(len(texts))), "an empty page"
    for leaf in edition.read(site).leaves:
        for paragraph in leaf.article.xpath(".//section/p[not(.//*)]"):
            sentence = "".join(paragraph.text_content().split())
            # A page may turn inside it; its first and last words stand on some page.
            assert sentence[:6] in whole and sentence[-6:] in whole, sentence
    fonts = {
        id(f): f
        for page in reader.pages
        for f in (entry.get_object() for entry in page["/Resources"].get("/Font", {}).values())
    }
    assert fonts
    for font in fonts.values():
        below = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        described = below.get("/FontDescriptor", {}).get_object() if "/FontDescriptor" in below else {}
        inside = font["/Subtype"] == "/Type3" or {"/FontFile", "/FontFile2", "/FontFile3"} & set(described)
        assert inside and "/ToUnicode" in font, font


@pytest.mark.browser
def test_pdf_pages_are_numbered_and_its_contents_agree(pdf, site: Path):
    reader, texts = pdf
    for n, text in enumerate(texts, 1):
        assert str(n) in text or n <= 2 or re.match("第.部分|附录|关于本书", text), f"page {n} has no number"
    listed = reader.pages[1].extract_text().split("\n")
    for leaf in edition.read(site).leaves[1:4]:
        (entry,) = [line for line in listed if line.startswith(leaf.title)]
        page = int(entry.split()[-1])
        assert "".join(leaf.title.split()) in texts[page - 1] and f"{page}" in texts[page - 1]


def test_a_page_breaks_no_character_of_the_text():
    """Tables from glyphs to text, as Chromium writes them."""
    table = (
        "<08> <2F00>\n<09> <0041>\n<0A> <FB04>\n<10> <12> <2F01>\n<20> <22> <0041>\n<30> <31> <D835DC5B>\n<40> <2ED3>"
    )
    mended = printed.unicode_map(table).split("\n")
    assert mended == [
        "<08> <4E00>",
        "<09> <0041>",
        "<0A> <00660066006C>",
        "<10> <12> [<4E28> <4E36> <4E3F>]",
        "<20> <22> <0041>",
        "<30> <31> <D835DC5B>",
        "<40> <957F>",
    ]


@pytest.mark.browser
def test_pdf_links_lead_into_the_book(pdf):
    reader, _ = pdf
    inside = set(reader.named_destinations)
    count = 0
    for page in reader.pages:
        for note in page.get("/Annots", []):
            link = note.get_object()
            if link.get("/Subtype") != "/Link":
                continue
            if "/Dest" in link:
                count += 1
                assert str(link["/Dest"]) in inside
            else:
                assert str(link["/A"]["/URI"]).startswith("http"), link
    assert count > 40


@pytest.mark.browser
def test_pdf_of_no_browser_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(ProblemError, match="chromium"), printed.browser():
        pass
