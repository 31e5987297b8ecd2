"""One style for all figures: Chinese glyphs, colours safe for colour-blind readers, legible on light and dark."""

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY = (
    "#2f7ebc",
    "#d98a00",
    "#1f9e77",
    "#d1582c",
    "#a66ba0",
    "#4aa5d8",
    "#8a8f98",
)
"""Okabe and Ito's colour-blind safe hues, set to a lightness that reads on white and on near-black paper."""
CYCLE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY)
INK = "#808690"
"""Axes, ticks and labels: contrast of at least 3.6 to 1 on white and on the dark page."""
WIDTH = 6.8
"""Width of a figure in inches that fills the text column."""


def use() -> None:
    """Set Matplotlib to the book's style; call it once, in a chapter's first cell.

    Figures become SVG with a transparent ground, glyphs as outlines from Noto Sans CJK in its Simplified Chinese forms,
    and no date or random id inside, so that the same figure gives the same bytes. A missing glyph is an error.
    """
    import warnings

    import cvttf_NotoSansCJK_Regular as cjk
    import matplotlib as mpl
    from matplotlib import font_manager
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    font_manager.fontManager.addfont(cjk.get_TTF_path())
    name = font_manager.FontProperties(fname=cjk.get_TTF_path()).get_name()
    mpl.rcParams.update(
        {
            "font.family": [name],
            "text.language": "zh-Hans",
            "mathtext.fontset": "stix",
            "axes.unicode_minus": False,
            "svg.fonttype": "path",
            "svg.hashsalt": "studyguide",
            "figure.figsize": (WIDTH, 3.4),
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "savefig.transparent": True,
            "axes.prop_cycle": mpl.cycler(color=CYCLE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "axes.titlesize": 11,
            "axes.labelsize": 10,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "axes.grid": True,
            "grid.color": INK,
            "grid.alpha": 0.22,
            "grid.linewidth": 0.6,
            "lines.linewidth": 1.8,
            "legend.frameon": False,
            "legend.fontsize": 9,
            "figure.constrained_layout.use": True,
        }
    )
    set_matplotlib_formats("svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    warnings.filterwarnings("error", message="Glyph .* missing from")
