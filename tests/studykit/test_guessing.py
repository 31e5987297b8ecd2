"""Guessing heads: a tree is read as its paths are, greedy text stays the model's own, sampled text keeps its law."""

import itertools

import pytest

TEXT = "The statement binds a name; see also section "


@pytest.fixture(scope="module")
def guessing(torch):
    from studykit import guessing

    return guessing


@pytest.fixture(scope="module")
def model(gpt):
    return gpt.load("draft")


@pytest.fixture(scope="module")
def trained(guessing, model):
    """Heads that have seen a few windows: enough to guess the commonest characters."""
    return guessing.learn(model, count=3, steps=40, rows=32)


def test_untrained_heads_say_what_the_model_says(torch, gpt, guessing, model):
    x = guessing.states(model, gpt.tokenizer.encode(TEXT)[None])
    logits = guessing.Heads(model, 2)(x)
    assert logits.shape == (2, 1, len(TEXT), len(gpt.tokenizer))
    assert torch.allclose(logits, model.head(x).expand_as(logits), atol=1e-5)


def test_learning_lowers_the_loss_and_leaves_the_model_alone(torch, gpt, guessing, model, trained):
    losses = trained[1]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    same = zip(model.parameters(), gpt.load("draft").parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in same)
    table = guessing.accuracies(model, trained[0], gpt.tokenizer.encode(TEXT * 8)[None], skip=9)
    assert table.shape == (4, 10) and float(table.sum(1).max()) <= 1


def test_accuracies_count_the_right_places(torch, gpt, guessing, model):
    """A loop over places, for heads that were not trained."""
    tokens = gpt.tokenizer.encode(TEXT)[None]
    heads, skip, n = guessing.Heads(model, 2), 3, len(TEXT)
    x = guessing.states(model, tokens)[0]
    first = model.head(x).argmax(-1).tolist()
    for k, row in enumerate(guessing.accuracies(model, heads, tokens, ranks=1, skip=skip).tolist()):
        places = range(skip, n - 3)
        assert row[0] == pytest.approx(sum(first[i] == int(tokens[0, i + 1 + k]) for i in places) / len(places))


@pytest.mark.parametrize("widths, nodes", [((2, 3, 2), 21), ((1,), 2), ((4, 1), 9), ((), 1)])
def test_cartesian_tree(guessing, widths, nodes):
    tree = guessing.cartesian(*widths)
    assert len(tree) == nodes and tree.depth.max() == len(widths)
    assert (tree.mask.sum(1) == tree.depth + 1).all()  # itself and its ancestors
    for n in range(1, nodes):
        parent = int(tree.parents[n])
        assert parent < n and tree.mask[n, parent] and tree.depth[n] == tree.depth[parent] + 1


def test_a_path_without_its_beginning_is_an_error(guessing):
    with pytest.raises(KeyError):
        guessing.Tree([(0, 0)])


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5])
def test_the_grown_tree_is_the_best_of_all(guessing, nodes):
    table = [[0.6, 0.2, 0.15], [0.5, 0.3, 0.1]]
    paths = [path for depth in (1, 2) for path in itertools.product(range(3), repeat=depth)]
    values = []
    for some in itertools.combinations(paths, nodes):
        if all(path[:-1] in {(), *some} for path in some):
            values.append(guessing.expected(table, guessing.Tree(some)))
    grown = guessing.grow(table, nodes)
    assert len(grown) == nodes + 1 and guessing.expected(table, grown) == pytest.approx(max(values))


def test_a_tree_is_read_as_its_paths_are(torch, gpt, guessing, model):
    tree, head = guessing.cartesian(2, 3), gpt.tokenizer.encode(TEXT)
    tokens = torch.randint(1, len(gpt.tokenizer), (len(tree),), generator=torch.Generator().manual_seed(0))
    cache = gpt.Cache()
    with torch.no_grad():
        model(head[None], cache)
        mask = torch.cat([torch.ones(len(tree), len(head), dtype=torch.bool), tree.mask], 1)
        found = model(tokens[None], cache, len(head) + tree.depth, mask)[0]
        for n in range(len(tree)):
            right = model(torch.cat([head, tokens[tree.mask[n]]])[None])[0, -1]
            assert torch.allclose(found[n], right, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 24])
@pytest.mark.parametrize("widths", [(), (3,), (3, 2, 1)])
def test_greedy_text_is_the_models_own(torch, gpt, guessing, model, trained, widths, n):
    ids = gpt.tokenizer.encode(TEXT)
    with torch.no_grad():
        for _ in range(n):
            ids = torch.cat([ids, model(ids[None])[0, -1:].argmax(-1)])
    run = guessing.decode(model, trained[0], guessing.cartesian(*widths), TEXT, n, guessing.greedy)
    assert run.text == gpt.tokenizer.decode(ids) and run.tokens == n
    assert 1 + sum(run.rounds) == n and run.target_passes == 1 + len(run.rounds)
    if not widths:
        assert run.target_passes == n


def test_the_cache_holds_what_was_kept(torch, gpt, guessing, model, trained):
    generator = torch.Generator().manual_seed(0)
    run = guessing.decode(model, trained[0], guessing.cartesian(4, 2, 1), TEXT, 60, guessing.plain, generator)
    assert len(run.cache) == len(TEXT) + 59 and max(run.rounds) > 1
    again = gpt.Cache()
    with torch.no_grad():
        model(gpt.tokenizer.encode(run.text)[None, :-1], again)
    for one, other in zip(run.cache.keys + run.cache.values, again.keys + again.values, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_matching_keeps_the_law(torch, guessing):
    """Frequencies of the first kept token against p, with two of five tokens guessed."""
    p, tree = torch.tensor([[0.4, 0.3, 0.15, 0.1, 0.05]]).expand(3, -1), guessing.Tree([(0,), (1,)])
    tokens, generator, counts = torch.tensor([0, 1, 3]), torch.Generator().manual_seed(0), torch.zeros(5)
    for _ in range(4000):
        kept, after = guessing.match(tokens, p, tree, generator)
        counts[tokens[kept[1]] if len(kept) > 1 else after[0]] += 1
    assert (counts / 4000 - p[0]).abs().max() < 0.03


@pytest.mark.parametrize("lossless", [True, False])
def test_sampled_text_keeps_the_models_law(torch, gpt, guessing, lossless):
    """The whole loop: points drawn where the tokens lie in the model's own distributions are spread evenly."""
    stats = pytest.importorskip("scipy.stats")
    model = gpt.load("target")
    heads, tree = guessing.learn(model, steps=30, rows=16)[0], guessing.cartesian(4, 2, 1)
    generator, points, kept = torch.Generator().manual_seed(0), [], 0
    choose = guessing.match if lossless else guessing.typical()
    for _ in range(2):
        run = guessing.decode(model, heads, tree, TEXT, 200, guessing.plain, generator, choose)
        ids, kept = gpt.tokenizer.encode(run.text), kept + sum(run.rounds) - len(run.rounds)
        with torch.no_grad():
            p = model(ids[None])[0, len(TEXT) - 1 : -1].double().softmax(-1)
        own = p.gather(-1, ids[len(TEXT) :, None])
        points.append((p * (p > own)).sum(-1, keepdim=True) + own * torch.rand(own.shape, generator=generator))
    counts = torch.histc(torch.cat(points), 10, 0, 1)
    assert kept > 50
    assert bool(stats.chisquare(counts.numpy()).pvalue > 1e-3) == lossless


def test_typical_acceptance_keeps_the_longest_path(torch, guessing):
    p = torch.full((4, 5), 0.2)  # entropy ln 5: the bar is 0.06
    tree = guessing.Tree([(0,), (1,), (1, 0)])
    p[3] = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0])
    kept, after = guessing.typical(0.09, 0.3)(torch.tensor([0, 1, 2, 3]), p, tree)
    assert kept == [0, 2, 3] and after.tolist() == [4]
    p[2] = torch.tensor([0.97, 0.01, 0.01, 0.0, 0.01])  # the guess 3 is impossible now
    kept, _ = guessing.typical(0.09, 0.3)(torch.tensor([0, 1, 2, 3]), p, tree)
    assert kept in ([0, 1], [0, 2])
