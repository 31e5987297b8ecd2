"""The map of prerequisites."""

from studyguide.site import graph

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["a", "b", "c"], "e": []}


def test_arrows_that_follow_from_others_are_dropped():
    assert graph.reduced(DIAMOND) == {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": []}


def test_a_route_has_all_that_is_needed_and_nothing_else():
    assert graph.route(DIAMOND, "d") == ["a", "b", "c", "d"]
    assert graph.route(DIAMOND, "a") == ["a"]


def test_every_chapter_stands_below_what_it_needs():
    places = graph.place(DIAMOND)
    assert all(places[need].layer < places[node].layer for node, needs in DIAMOND.items() for need in needs)
    assert len({(p.layer, p.across) for p in places.values()}) == len(DIAMOND)
