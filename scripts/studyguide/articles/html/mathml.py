"""Presentation MathML to TeX, for pages that kept no other copy of a formula."""

import re
from collections.abc import Callable

from lxml import etree


def _pairs(table: str) -> dict[str, str]:
    words = table.split()
    return dict(zip(words[::2], words[1::2], strict=True))


_MACROS = _pairs("""
α alpha  β beta  γ gamma  δ delta  ϵ epsilon  ε varepsilon  ζ zeta  η eta  θ theta  ϑ vartheta
ι iota  κ kappa  λ lambda  μ mu  ν nu  ξ xi  π pi  ρ rho  σ sigma  τ tau  υ upsilon  ϕ phi  φ varphi
χ chi  ψ psi  ω omega  Γ Gamma  Δ Delta  Θ Theta  Λ Lambda  Ξ Xi  Π Pi  Σ Sigma  Φ Phi  Ψ Psi
Ω Omega  ∑ sum  ∏ prod  ∫ int  ∮ oint  ∂ partial  ∇ nabla  ∞ infty  ∈ in  ∉ notin  ⊂ subset
⊆ subseteq  ∪ cup  ∩ cap  ∅ emptyset  ∀ forall  ∃ exists  ¬ neg  ∧ wedge  ∨ vee  ⊕ oplus  ⊗ otimes
⊙ odot  × times  ÷ div  ⋅ cdot  · cdot  ∘ circ  ± pm  ∓ mp  ≤ le  ≥ ge  ≠ ne  ≈ approx  ≡ equiv
∼ sim  ≃ simeq  ∝ propto  ≪ ll  ≫ gg  → to  ← leftarrow  ⇒ Rightarrow  ⇐ Leftarrow  ⇔ Leftrightarrow
↔ leftrightarrow  ↦ mapsto  ⟶ longrightarrow  … ldots  ⋯ cdots  ⋮ vdots  ⋱ ddots  ∣ mid  ∥ |
⊤ top  ⊥ perp  ⟨ langle  ⟩ rangle  ⌈ lceil  ⌉ rceil  ⌊ lfloor  ⌋ rfloor  ‖ |  ℓ ell  ℏ hbar  ′ prime
† dagger  ℝ mathbb{R}  ℕ mathbb{N}  ℤ mathbb{Z}  𝔼 mathbb{E}  ℂ mathbb{C}
""") | {"\u2212": "-", "\u2217": "*", "\u2061": "", "\u2062": "", "\u2063": "", "\xa0": " "}
_ACCENTS = _pairs("""
^ hat  ˆ hat  ~ tilde  ˜ tilde  ¯ bar  ‾ overline  → vec  ⃗ vec  ˙ dot  . dot  ¨ ddot  ˇ check
⏞ overbrace  ⏟ underbrace  ― overline  _ underline
""")
_VARIANTS = _pairs("""
bold mathbf  bold-italic boldsymbol  double-struck mathbb  script mathcal  fraktur mathfrak
sans-serif mathsf  monospace mathtt
""")
_FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        """arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim ln log max min Pr sec
        sin sinh sup tan tanh""",
    )
)
_BIG = frozenset("∑∏∫⋃⋂")
_TEX_SPECIAL = re.compile(r"([{}%&#_$])")

Node = etree._Element


def parse(source: str) -> Node | None:
    """The `math` element of MathML text, or None if it is none."""
    try:
        return etree.fromstring(source, etree.XMLParser(resolve_entities=False, no_network=True, recover=True))
    except etree.XMLSyntaxError:
        return None


def to_tex(element: Node) -> str:
    """TeX for a presentation MathML element."""
    return re.sub(r"\s+", " ", _row(element)).strip()


def from_svg(container: Node) -> str:
    """TeX for a drawing of MathJax: its SVG names the MathML node of every group and the code of every glyph."""
    return re.sub(r"\s+", " ", "".join(_drawn(child) for child in container.iter("svg"))).strip()


def _tag(node: Node) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def _kids(node: Node) -> list[Node]:
    return [child for child in node if _tag(child) not in ("", "annotation", "annotation-xml", "none", "mprescripts")]


def _row(node: Node) -> str:
    parts: list[str] = []
    kids = _kids(node)
    for at, child in enumerate(kids):
        after = kids[at + 1] if at + 1 < len(kids) else None
        if after is not None and _tag(after) == "mtable" and (child.text or "").strip() == "{":
            continue  # the brace of `cases`
        part = _tex(child)
        if parts and re.search(r"\\[a-zA-Z]+$", parts[-1]) and re.match(r"[a-zA-Z]", part):
            parts.append(" ")
        parts.append(part)
    return "".join(parts)


def _group(node: Node | None) -> str:
    tex = _tex(node) if node is not None else ""
    return tex if len(tex) == 1 else f"{{{tex}}}"


def _symbol(text: str) -> str:
    out = []
    for char in text:
        macro = _MACROS.get(char)
        if macro is None:
            out.append(_TEX_SPECIAL.sub(r"\\\1", char))
        elif macro and (macro[0].isalpha() or macro == "|"):
            out.append(f"\\{macro}")
            if macro[-1].isalpha():
                out.append(" ")
        else:
            out.append(macro)
    return "".join(out).rstrip() if out and out[-1] == " " else "".join(out)


def _tex(node: Node) -> str:
    handler = _HANDLERS.get(_tag(node))
    return handler(node) if handler else _row(node)


def _token(node: Node) -> str:
    text = (node.text or "").strip()
    if not text:
        return ""
    variant = _VARIANTS.get(node.get("mathvariant") or "")
    if len(text) > 1 and text.isascii() and text.isalpha():
        if text in _FUNCTIONS:
            return f"\\{text} "
        return f"\\{variant or 'mathrm'}{{{text}}}"
    return f"\\{variant}{{{_symbol(text)}}}" if variant else _symbol(text)


def _operator(node: Node) -> str:
    text = (node.text or "").strip()
    if text.isascii() and text.isalpha() and len(text) > 1:
        return f"\\{text} " if text in _FUNCTIONS else f"\\operatorname{{{text}}}"
    return _symbol(text)


def _scripts(node: Node) -> str:
    kids = _kids(node)
    if not kids:
        return ""
    kind = _tag(node)
    base = _tex(kids[0])
    if len(base) > 1 and _tag(kids[0]) in ("mrow", "mfrac") and not re.fullmatch(r"\\[a-zA-Z]+ ?", base):
        base = f"{{{base}}}"
    base = base.rstrip() if base.startswith("\\") else base
    low = kids[1] if kind in ("msub", "msubsup", "munder", "munderover") and len(kids) > 1 else None
    high = (
        kids[-1]
        if kind in ("msup", "msubsup", "mover", "munderover") and len(kids) > (1 if low is None else 2)
        else None
    )
    if high is not None and re.fullmatch(r"(?:\\prime ?|')+", _tex(high)):
        primes = len(re.findall(r"\\prime|'", _tex(high)))
        return base + (f"_{_group(low)}" if low is not None else "") + "'" * primes
    return base + (f"_{_group(low)}" if low is not None else "") + (f"^{_group(high)}" if high is not None else "")


def _over(node: Node) -> str:
    kids = _kids(node)
    if len(kids) == 2:
        mark = (kids[1].text or "").strip()
        if mark in _ACCENTS and _tag(kids[1]) == "mo":
            return f"\\{_ACCENTS[mark]}{{{_tex(kids[0])}}}"
        base = (kids[0].text or "").strip()
        if base not in _BIG and base not in _FUNCTIONS and _tag(node) == "mover":
            return f"\\overset{{{_tex(kids[1])}}}{{{_tex(kids[0])}}}"
    return _scripts(node)


def _fraction(node: Node) -> str:
    kids = _kids(node)
    top, bottom = (_tex(kid) for kid in (*kids, node, node)[:2]) if len(kids) >= 2 else ("", "")
    if node.get("linethickness") in ("0", "0px", "0pt"):
        return f"\\binom{{{top}}}{{{bottom}}}"
    return f"\\frac{{{top}}}{{{bottom}}}"


def _table(node: Node) -> str:
    rows = [" & ".join(_row(cell) for cell in _kids(row)) for row in _kids(node) if _tag(row) in ("mtr", "mlabeledtr")]
    before = node.getprevious()
    kind = "cases" if before is not None and (before.text or "").strip() == "{" else "matrix"
    if kind == "matrix" and (node.get("columnalign") or "").startswith("right left"):
        kind = "aligned"
    return f"\\begin{{{kind}}} " + r" \\ ".join(rows) + f" \\end{{{kind}}}"


def _root(node: Node) -> str:
    kids = _kids(node)
    return f"\\sqrt[{_tex(kids[1])}]{{{_tex(kids[0])}}}" if len(kids) > 1 else ""


def _text(node: Node) -> str:
    content = "".join(node.itertext()).strip("\n")
    content = _TEX_SPECIAL.sub(r"\\\1", content)
    return f"\\text{{{content}}}" if content.strip() else " "


def _fenced(node: Node) -> str:
    inner = ",".join(_tex(kid) for kid in _kids(node))
    return f"\\left{_symbol(node.get('open', '('))} {inner} \\right{_symbol(node.get('close', ')'))}"


def _multi(node: Node) -> str:
    kids = [child for child in node if _tag(child)]
    base = _tex(kids[0]) if kids else ""
    scripts = [("" if _tag(kid) == "none" else _tex(kid)) for kid in kids[1:]]
    low, high = (*scripts, "", "")[:2]
    return base + (f"_{{{low}}}" if low else "") + (f"^{{{high}}}" if high else "")


_HANDLERS: dict[str, Callable[[Node], str]] = {
    "mi": _token,
    "mn": lambda node: _TEX_SPECIAL.sub(r"\\\1", (node.text or "").strip()),
    "mo": _operator,
    "mtext": _text,
    "ms": _text,
    "mspace": lambda node: r"\\ " if node.get("linebreak") == "newline" else " ",
    "msub": _scripts,
    "msup": _scripts,
    "msubsup": _scripts,
    "munder": _over,
    "mover": _over,
    "munderover": _scripts,
    "mmultiscripts": _multi,
    "mfrac": _fraction,
    "msqrt": lambda node: f"\\sqrt{{{_row(node)}}}",
    "mroot": _root,
    "mtable": _table,
    "mfenced": _fenced,
    "mphantom": lambda node: "",
}


def _drawn(node: Node) -> str:
    """A group of an SVG drawing as TeX: the same handlers, on MathML rebuilt from the names in the drawing."""
    rebuilt = _rebuild(node)
    return _row(rebuilt)


def _rebuild(node: Node) -> Node:
    out = etree.Element("mrow")
    for child in node:
        name = child.get("data-mml-node") if isinstance(child.tag, str) else None
        code = child.get("data-c") if isinstance(child.tag, str) else None
        if code:
            out.text = (out.text or "") + chr(int(code, 16))
            continue
        inner = _rebuild(child)
        if name and name != "TeXAtom":
            inner.tag = name if name != "math" else "mrow"
            out.append(inner)
        elif name:
            out.append(inner)
        elif inner.text or len(inner):
            out.text = (out.text or "") + (inner.text or "") or None
            out.extend(list(inner))
    return out
