"""The built book in a real browser, from file:// addresses."""

import pytest

pytestmark = pytest.mark.browser
CHAPTER = "chapters/attention/linear-attention.html"


@pytest.fixture
def tab(chromium):
    """A fresh tab; what it logs and requests is kept on it."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    tab = context.new_page()
    tab.said, tab.asked = [], []
    tab.on("console", lambda message: tab.said.append(message.text))
    tab.on("pageerror", lambda error: tab.said.append(str(error)))
    tab.on("request", lambda request: tab.asked.append(request.url))
    yield tab
    context.close()


def pages(site):
    return sorted(path for path in site.rglob("*.html") if path != site / "index.html")


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_every_page_is_quiet_and_fits(site, tab, width):
    """Nothing in the console (policy violations are told there), no other host, no page wider than the screen."""
    tab.set_viewport_size({"width": width, "height": 900})
    for path in pages(site):
        tab.goto(path.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert tab.said == []
    assert not [address for address in tab.asked if not address.startswith(("file:", "data:"))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_shuts_a_reader_out(site, chromium, scheme):
    """axe-core finds no violation on any page, with everything unfolded."""
    from axe_playwright_python.sync_playwright import Axe

    context = chromium.new_context(color_scheme=scheme, bypass_csp=True)  # axe is no script of the page's own
    tab, axe = context.new_page(), Axe()
    for path in pages(site):
        tab.goto(path.as_uri())
        tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        found = axe.run(tab, options={"resultTypes": ["violations"]})
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
    context.close()


def test_formulas_have_the_font_and_need_no_script(site, chromium):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((site / CHAPTER).as_uri())
    assert tab.locator("math").count() > 10
    assert tab.locator(".equation math").first.bounding_box()["height"] > 20
    assert "Studyguide Math" in tab.locator("mi").first.evaluate("e => getComputedStyle(e).fontFamily")
    context.close()


@pytest.mark.parametrize(
    "query",
    ["线性注意力", "LATERAL VIEW", "lateral view", "softmax", "softmx", "O(n^2)", "O(n2)", "lat", "ＨＤＦＳ"],
)
def test_queries_that_must_find_something(site, tab, query):
    tab.goto((site / "search.html").as_uri())
    tab.fill("#q", query)
    tab.locator("#search-results a").first.wait_for()
    assert tab.locator("#search-results mark").count() > 0 or query.startswith("O(")


def test_the_dialog_by_keyboard(site, tab):
    tab.goto((site / CHAPTER).as_uri())
    tab.keyboard.press("/")
    tab.keyboard.type("常见误区")
    tab.wait_for_selector(".search-dialog a")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/linear-attention.html#chang-jian-wu-qu")
    tab.keyboard.press("Control+k")
    assert tab.locator(".search-dialog[open]").count() == 1
    tab.keyboard.press("Escape")
    assert tab.locator(".search-dialog[open]").count() == 0
    assert tab.said == []


def test_dark_stays_dark(site, tab):
    tab.goto((site / CHAPTER).as_uri())
    tab.click(".theme-switch")
    for _ in range(120):  # file:// pages share their storage between processes, a moment later
        tab.wait_for_timeout(250)
        tab.goto((site / "chapters/data/store.html").as_uri())
        if tab.evaluate("document.documentElement.dataset.theme"):
            break
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"


def test_progress_and_resume(site, tab):
    tab.goto((site / CHAPTER).as_uri())
    tab.click(".done button")
    tab.goto((site / CHAPTER).as_uri() + "#shi-xian")
    tab.wait_for_timeout(2000)
    tab.goto((site / "chapters/index.html").as_uri())
    assert tab.locator(".resume a").get_attribute("href").endswith("linear-attention.html#shi-xian")
    assert "读完 1 章" in tab.locator(".progress-count").inner_text()
    assert tab.locator(".map .read").count() == 1


def test_the_map_tells_the_way(site, tab):
    tab.goto((site / "chapters/index.html").as_uri())
    tab.locator(".map [data-id=linear-attention]").focus()
    assert "共 4 章" in tab.locator(".map-note").inner_text()
    assert tab.locator(".map [data-id].on").count() == 4


def test_claims_sort_by_every_column(site, tab):
    """By click and by keyboard; names by pinyin, values by their number, equal rows in the order they had."""

    def column(n):
        return tab.locator(f".sortable tbody td:nth-child({n})").all_inner_texts()

    def head(name):
        return tab.get_by_role("columnheader", name=name)

    tab.goto((site / "chapters/about/claims.html").as_uri())
    heads = tab.locator(".sortable th")
    assert heads.all_inner_texts() == ["章节", "主张", "出处", "证据", "实测值", "设备与日期"]
    assert heads.get_by_role("button").count() == 6 and tab.locator("[aria-sort]").count() == 0
    book = ["存储：块与副本", "存储：块与副本", "混洗", "线性注意力：去掉 Softmax 之后"]
    texts = column(2)
    assert column(1) == book

    head("主张").get_by_role("button").click()
    assert [text[0] for text in column(2)] == ["代", "副", "混", "块"]  # dai, fu, hun, kuai
    head("章节").get_by_role("button").focus()
    tab.keyboard.press("Enter")
    assert head("章节").get_attribute("aria-sort") == "ascending" and tab.locator("[aria-sort]").count() == 1
    assert column(1) == book and column(2)[:2] == texts[:2]
    tab.keyboard.press("Space")
    assert head("章节").get_attribute("aria-sort") == "descending"
    assert column(1) == book[::-1] and column(2)[2:] == texts[:2]
    tab.keyboard.press("Enter")
    assert (column(2), tab.locator("[aria-sort]").count()) == (texts, 0)

    put = "t => document.querySelectorAll('.sortable tbody td:nth-child(5)').forEach((td, n) => td.textContent = t[n])"
    tab.evaluate(put, ["10.5 倍", "", "9.25 倍", "−3 倍"])
    head("实测值").get_by_role("button").click()
    assert column(5) == ["−3 倍", "9.25 倍", "10.5 倍", ""]
    head("实测值").get_by_role("button").click()
    assert column(5) == ["10.5 倍", "9.25 倍", "−3 倍", ""]
    assert tab.said == []
