"""Placing: the right part with a reason, nowhere rather than anywhere, and the same for every spelling."""

from dataclasses import replace

import pytest
from importing.samples import LINEAR, LORA, SAMPLES
from support import ROOT

from studyguide.articles import sources
from studyguide.book import curriculum
from studyguide.importing.placing import THRESHOLD, UNSORTED, Vocabulary

PLAN = curriculum.load(ROOT)
VOCABULARY = Vocabulary(PLAN)
RIGHT = {
    "bagging-variance.ipynb": ["foundations"],
    "blog-index.txt": ["big-data", "efficient-attention", "inference-acceleration"],
    "bpe-by-hand.md": ["sequence-models"],
    "kv-cache-size.html": ["inference-acceleration"],
    "loss-scaling.html": ["fine-tuning"],
}


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_samples_are_placed(name: str):
    """Every sample lands in its part, from its title and text."""
    [source] = sources.discover([str(SAMPLES / name)])
    placed = [VOCABULARY.place(a.title, a.text, a.tags) for a in sources.read(source)]
    assert [p.part for p in placed] == RIGHT[name]
    assert all(THRESHOLD <= p.score < 1 and p.chapter.id in p.reason for p in placed)


def test_what_fits_nowhere():
    """A text about something else is unsorted and says why."""
    text = "红烧肉要先焯水，再用冰糖炒出糖色，小火炖一个小时，最后大火收汁。家常做法不必放太多香料。" * 5
    placed = VOCABULARY.place("红烧肉的做法", text)
    assert (placed.part, placed.chapter) == (UNSORTED, None)
    assert placed.score < THRESHOLD
    assert placed.reason


def test_one_word_is_not_enough():
    """A long text that uses one term of a chapter often is still about something else."""
    placed = VOCABULARY.place("周末日记", "今天又下雨了，路上的进程慢得很。" * 200)
    assert placed.part == UNSORTED


def test_a_given_part_holds():
    """With a part named, the place is looked for there only."""
    placed = VOCABULARY.place("", LORA, part="big-data")
    assert placed.part == "big-data"


@pytest.mark.parametrize(
    ("one", "other"),
    [("all-reduce 与 reduce-scatter", "allreduce 与 reducescatter"), ("结合律与线性注意力", "结合律与线性 Attention")],
)
def test_spellings_count_alike(one: str, other: str):
    """Hyphens that a dump has lost, and English words in Chinese terms, change nothing."""
    assert VOCABULARY.place("", one).chapter == VOCABULARY.place("", other).chapter is not None


def test_short_acronyms_keep_their_case():
    """AD is automatic differentiation, an ad is not."""
    assert VOCABULARY.terms("AD")
    assert not VOCABULARY.terms("an ad")


def test_the_articles_of_the_plan_are_not_looked_at():
    """Placing knows the words of the curriculum and nothing of the articles that it names."""
    bare = replace(PLAN, chapters={c.id: replace(c, articles=()) for c in PLAN.chapters.values()})
    assert Vocabulary(bare).place("", LINEAR) == replace(
        VOCABULARY.place("", LINEAR), chapter=bare.chapters[VOCABULARY.place("", LINEAR).chapter.id]
    )
