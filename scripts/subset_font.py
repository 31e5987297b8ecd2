"""Make the maths font of the pages: the glyphs that formulas of this book's kind use, from STIX Two Math.

Recipe (once per font version; needs the packages `fonttools` and `brotli`):

    npm pack @fontsource/stix-two-math@5.3.0 && tar xzf fontsource-stix-two-math-5.3.0.tgz
    python scripts/subset_font.py package/files/stix-two-math-latin-400-normal.woff
"""

import argparse
import sys
from pathlib import Path

TARGET = Path(__file__).parent / "studyguide" / "site" / "theme" / "static" / "maths.woff2"
RANGES = [
    *[(0x20, 0x7E), (0xA0, 0xA0), (0xAC, 0xAC), (0xAF, 0xB1), (0xB4, 0xB4), (0xB7, 0xB7), (0xD7, 0xD7), (0xF7, 0xF7)],
    *[(0x131, 0x131), (0x237, 0x237), (0x2C6, 0x2C7), (0x2D8, 0x2DC)],  # dotless letters and accents
    *[(0x300, 0x304), (0x306, 0x308), (0x30A, 0x30A), (0x30C, 0x30C), (0x332, 0x332), (0x338, 0x338)],
    *[(0x391, 0x3A9), (0x3B1, 0x3C9), (0x3D1, 0x3D1), (0x3D5, 0x3D6), (0x3F0, 0x3F1), (0x3F5, 0x3F5)],  # Greek
    *[(0x2013, 0x2016), (0x2020, 0x2022), (0x2026, 0x2026), (0x2032, 0x2034), (0x2044, 0x2044), (0x2061, 0x2064)],
    *[(0x20D7, 0x20D7), (0x2102, 0x2102), (0x210B, 0x2113), (0x2115, 0x2115), (0x2118, 0x211D), (0x2124, 0x2124)],
    *[(0x2128, 0x2128), (0x212C, 0x212D), (0x2130, 0x2135)],  # letters that stand outside the alphabets below
    *[(0x2190, 0x2199), (0x21A6, 0x21A6), (0x21A9, 0x21AA), (0x21BC, 0x21BD), (0x21C0, 0x21C1), (0x21CC, 0x21CC)],
    *[(0x21D0, 0x21D5), (0x27F5, 0x27FA), (0x27FC, 0x27FC)],  # arrows
    *[(0x2200, 0x221E), (0x2220, 0x2220), (0x2223, 0x222E), (0x2234, 0x2237), (0x223C, 0x223C), (0x2243, 0x2243)],
    *[(0x2245, 0x2245), (0x2248, 0x224A), (0x2250, 0x2250), (0x2254, 0x2255), (0x225C, 0x225C), (0x2260, 0x2261)],
    *[(0x2264, 0x226B), (0x226E, 0x2271), (0x227A, 0x227D), (0x2282, 0x228B), (0x228E, 0x22A5), (0x22A8, 0x22A8)],
    *[(0x22C0, 0x22C6), (0x22EE, 0x22F1), (0x2A00, 0x2A06), (0x2A7D, 0x2A7E), (0x2AAF, 0x2AB0)],  # operators
    *[
        (0x2308, 0x230B),
        (0x23B4, 0x23B5),
        (0x23DC, 0x23DF),
        (0x27E6, 0x27E9),
        (0x25A0, 0x25A1),
        (0x25B3, 0x25B3),
        (0x27C2, 0x27C2),
    ],
    *[(0x21DD, 0x21DD), (0x2272, 0x2273), (0x22B4, 0x22B4), (0x22C8, 0x22C8), (0x25B7, 0x25B7), (0x25B3, 0x25B3)],
    (0x25C1, 0x25C1),
    (0x1D400, 0x1D433),  # bold
    (0x1D434, 0x1D467),  # italic
    (0x1D468, 0x1D49B),  # bold italic
    (0x1D49C, 0x1D4B5),  # script capitals
    (0x1D504, 0x1D51C),  # Fraktur capitals
    *[(0x1D538, 0x1D551), (0x1D7D9, 0x1D7D9)],  # blackboard bold capitals and one
    (0x1D5A0, 0x1D5B9),  # sans serif capitals
    *[(0x1D6A4, 0x1D6A5), (0x1D6A8, 0x1D755)],  # Greek in bold, italic and bold italic
    (0x1D7CE, 0x1D7D7),  # bold digits
]


def narrow_radicals(font) -> None:
    """Make all sizes of the root sign as wide as the smallest.

    Browsers reserve the width of the widest size for each root (MathML Core: preferred inline size), which leaves a gap
    after short radicands; with sizes of one width, as in Computer Modern, there is none.
    """
    variants = font["MATH"].table.MathVariants
    radical = font.getBestCmap()[0x221A]
    build = variants.VertGlyphConstruction[variants.VertGlyphCoverage.glyphs.index(radical)]
    names = {record.VariantGlyph for record in build.MathGlyphVariantRecord}
    names |= {part.glyph for part in build.GlyphAssembly.PartRecords} if build.GlyphAssembly else set()
    widths, outlines = font["hmtx"].metrics, font["glyf"]
    target = widths[radical][0]
    for name in names - {radical}:
        scale = target / widths[name][0]
        glyph = outlines[name]
        for n, (x, y) in enumerate(glyph.coordinates):
            glyph.coordinates[n] = (round(x * scale), y)
        glyph.recalcBounds(outlines)
        widths[name] = (target, glyph.xMin)


def rename(font) -> None:
    """Give the changed font a name of its own, as its licence likes it."""
    for record in font["name"].names:
        if record.nameID in (1, 4, 6):
            record.string = "StudyguideMath"


def subset(source: Path, target: Path) -> int:
    """Write the subset of the font at `source` to `target` as WOFF2; returns its size in bytes."""
    from fontTools.subset import Options, Subsetter, load_font, save_font

    options = Options(flavor="woff2", layout_features=["ssty", "dtls"], hinting=False, desubroutinize=False)
    options.drop_tables += ["DSIG", "GPOS"]
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.notdef_outline = True
    font = load_font(str(source), options)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in RANGES for code in range(first, last + 1)])
    subsetter.subset(font)
    narrow_radicals(font)
    rename(font)
    save_font(font, str(target), options)
    return target.stat().st_size


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="subset_font.py", description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="STIX Two Math as WOFF or OTF")
    source = parser.parse_args(argv).source
    print(f"{TARGET.name}: {subset(source, TARGET)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
