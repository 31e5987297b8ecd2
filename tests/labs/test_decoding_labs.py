"""The labs that train a language model and decode with it: their algorithms and toys here, their figures from a GPU."""

import ast
import hashlib
import importlib.util
import itertools
import json
import math
import random
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from studykit.labs import results

ROOT = Path(__file__).resolve().parents[2]
LABS = ROOT / "labs"
NAMES = ["causal-lm-decoding", "speculative-decoding", "medusa", "multi-token-prediction"]
MEASURED = [name for name in NAMES if (LABS / "results" / f"{name}.json").is_file()]
SHARED = ["common", "gpt", "pair", "decoding"]


@pytest.fixture(scope="module")
def load(torch):
    """Import a script by its file name, once; what the labs share leaves with it."""
    loaded = {}
    sys.path.insert(0, str(LABS))

    def script(name: str):
        if name not in loaded:
            spec = importlib.util.spec_from_file_location(f"lab_{name.replace('-', '_')}", LABS / f"{name}.py")
            loaded[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(loaded[name])
        return loaded[name]

    yield script
    sys.path.remove(str(LABS))
    for name in SHARED:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def shared(load):
    """The modules that the labs share."""
    load("medusa")  # which imports them
    return {name: sys.modules[name] for name in SHARED}


@pytest.fixture(scope="module")
def toys(load, tmp_path_factory) -> dict[str, dict]:
    """What a toy run of each lab wrote."""
    folder, found = tmp_path_factory.mktemp("labs"), {}
    for name in NAMES:
        load(name).main(["--device", "cpu", "--small", "--out", str(folder / f"{name}.json")])
        found[name] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


def docstring(script: str) -> str:
    return ast.get_docstring(ast.parse((LABS / script).read_text(encoding="utf-8")))


def pick(rows: list[dict], **values) -> list[dict]:
    """The rows with these values."""
    return [row for row in rows if all(row[key] == value for key, value in values.items())]


@pytest.mark.parametrize("name", NAMES)
def test_a_toy_run_is_whole_and_its_keys_are_described(name, toys):
    toy = toys[name]
    assert toy["complete"] and toy["small"]
    described = docstring(f"{name}.py") + docstring("common.py")
    for key, value in toy.items():
        row = value[0] if isinstance(value, list) else value
        for word in [key, *(row if isinstance(row, dict) and key not in ("files", "text") else [])]:
            assert word in described, f"{key}: {word}"
        assert not isinstance(value, list) or not any(row.get("failed") for row in value), key


def test_a_pair_is_kept_for_the_next_lab(shared, tmp_path, monkeypatch):
    pair = shared["pair"]
    text, toy = pair.Text("cpu", small=True), pair.setting("draft", True)
    monkeypatch.setattr(pair.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(pair, "setting", lambda role, small: toy)
    first, record = pair.fit("draft", text, small=False)
    monkeypatch.delattr(pair, "train")  # would fail
    again, facts = pair.trained("draft", text, small=False)
    assert facts["valid"] == record["curve"][-1]["valid"][0] and len(list(tmp_path.iterdir())) == 1
    assert all((a == b).all() for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_files_are_split_whole_and_windows_stay_inside(shared):
    text = shared["pair"].Text("cpu", small=True)
    assert text.facts["train_bytes"] == len(text.train) and text.facts["valid_bytes"] == len(text.valid)
    both = bytes(text.train.tolist()) + bytes(text.valid.tolist())
    assert hashlib.sha256(both).hexdigest() == text.facts["sha256"]
    assert text.windows(7, 50).shape == text.windows(7, 50, skip=60).shape == (7, 50)
    assert text.windows(1, 50)[0].tolist() == text.valid[:50].tolist()


# --- decoding ---------------------------------------------------------------------------------------------------------

HEADS = 3


def hesitant(shared, seed: int):
    """A model that mostly follows each token with the same other one, and now and then what its attention says."""
    import torch

    torch.manual_seed(0)
    model = shared["gpt"].GPT(256, 128, 2, 32, 2)
    order = torch.randperm(256)
    with torch.no_grad():
        model.token.weight.normal_()
        model.head.weight[order] = model.token.weight
        torch.manual_seed(seed)
        for parameter in model.blocks.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.16)
    return model.eval(), order


@pytest.fixture(scope="module")
def setting(shared):
    """A model with a cache, prompts, and its greedy text: (model, static, prompts, text, order)."""
    import torch

    decoding = shared["decoding"]
    model, order = hesitant(shared, 1)
    static = decoding.Static(model, 4, 96, torch.float32)
    prompts = torch.randint(256, (4, 7), generator=torch.Generator().manual_seed(2))
    plain = decoding.Plain(static, 40, "cpu")
    plain.capture()
    assert plain.run(prompts) == 40
    return model, static, prompts, plain.text[:, :47].clone(), order


def test_plain_decoding_is_what_the_whole_model_chooses(setting):
    import torch

    model, _, prompts, text, order = setting
    with torch.no_grad():
        chosen = model(text).argmax(-1)
    assert (chosen[:, 6:-1] == text[:, 7:]).all() and (text[:, :7] == prompts).all()
    habit = (order[text[:, 6:-1]] == text[:, 7:]).float().mean().item()
    assert 0.1 < habit < 0.95, "neither always the same successor nor never: or the tests below would test nothing"


def test_a_tree_sees_its_own_path(shared, setting):
    import torch

    model, static, _, text, _ = setting
    parents = [-1, 0, 0, 1, 1, 2, 3]
    tree = shared["decoding"].Tree(parents, "cpu")
    assert tree.depth.tolist() == [0, 1, 1, 2, 2, 2, 3] and tree.deepest == 3
    assert tree.path.tolist()[4:] == [[0, 1, 4, 4], [0, 2, 5, 5], [0, 1, 3, 6]]
    static.prefill(text[:, :9])
    start, tokens = torch.full((4,), 9), torch.randint(256, (4, 7))
    got = static.logits(static(tokens, start, tree)[:, :, 0])
    for node in range(7):
        path = list(dict.fromkeys(tree.path[node].tolist()))
        with torch.no_grad():
            alone = model(torch.cat([text[:, :9], tokens[:, path]], 1))[:, -1]
        assert (got[:, node] - alone).abs().max() < 1e-4


@pytest.mark.parametrize("g", [1, 4])
@pytest.mark.parametrize("kind", ["other", "same", "ngram"])
def test_greedy_speculation_gives_the_plain_text(load, shared, setting, kind, g):
    lab = load("speculative-decoding")
    model, static, prompts, text, _ = setting
    drafts = {
        "other": lambda: lab.ModelDraft(shared["decoding"].Static(hesitant(shared, 3)[0], 4, 96, static.cache.dtype)),
        "same": lambda: lab.ModelDraft(shared["decoding"].Static(model, 4, 96, static.cache.dtype)),
        "ngram": lambda: lab.NgramDraft(text.flatten(), 2),
    }
    decoder = lab.Speculative(static, drafts[kind](), 40, g, "cpu")
    decoder.capture()
    decoder.histogram.zero_()
    steps = decoder.run(prompts)
    assert (decoder.text[:, :47] == text).all()
    histogram = decoder.histogram.tolist()
    if kind == "same":
        assert histogram[:-1] == [0] * g and steps == math.ceil(40 / (g + 1))
    else:
        assert histogram[0] and sum(histogram[1:]), "some steps keep no guess, some keep one or more"


@pytest.mark.parametrize("nodes", [1, 2, 5, 16, 60])
def test_trees_of_guesses_give_the_plain_text(load, shared, setting, nodes):
    """The heads know the habit of the model two, three and four tokens on, at one of their first places."""
    import torch

    lab, decoding = load("medusa"), shared["decoding"]
    model, static, prompts, text, order = setting
    heads = lab.Heads(model, HEADS)
    with torch.no_grad():
        for k in range(HEADS):
            ahead = torch.arange(256)
            for _ in range(k + 2):
                ahead = order[ahead]
            heads.out[k][:, ahead] = model.token.weight.T
    parents, rank, value = lab.grow([[0.5, 0.3, 0.1], [0.4, 0.2, 0.1], [0.3, 0.2, 0.1]], nodes)
    assert len(parents) == min(nodes, 40) and 1 <= value < 1 + 0.9 + 0.63 + 0.378 + 1e-9
    tree = decoding.Tree(parents, "cpu")
    decoder = decoding.TreeDecoder(static, 40, tree, rank, lab.guesser(static, heads), "cpu")
    decoder.capture()
    decoder.histogram.zero_()
    decoder.run(prompts)
    assert (decoder.text[:, :47] == text).all()
    assert all(decoder.histogram.tolist()[: 2 if nodes < 60 else HEADS])


def test_guesses_of_a_model_with_many_blocks_on_top_give_its_plain_text(load, shared):
    import torch

    lab, decoding = load("multi-token-prediction"), shared["decoding"]
    torch.manual_seed(0)
    model = lab.MTP(128, 1, 3, 32, 2).eval()
    tokens = torch.randint(256, (2, 20))
    target = decoding.Static(model.gpt, 2, 96, torch.float32, model.branches)
    ends = target(tokens, torch.zeros(2, dtype=torch.long), decoding.chain(20, "cpu"))
    with torch.no_grad():
        for k, logits in enumerate(model(tokens)):
            assert (target.logits(ends[:, :, k]) - logits).abs().max() < 1e-4
    found = []
    for decoder in (
        decoding.Plain(decoding.Static(model.gpt, 2, 96, torch.float32, model.branches[:1]), 30, "cpu"),
        decoding.TreeDecoder(target, 30, decoding.chain(3, "cpu"), [0] * 3,
                             lambda x: target.logits(x[:, 1:]).argmax(-1)[..., None], "cpu"),
    ):  # fmt: skip
        decoder.capture()
        decoder.run(tokens)
        found.append(decoder.text[:, :50])
    assert (found[0] == found[1]).all()


@pytest.mark.parametrize("kind", ["plain", "nucleus", "greedy", "sampled", "tree", "blocks"])
def test_a_step_never_asks_the_device_so_that_a_graph_can_hold_it(load, shared, kind):
    """Tensors without values: a step that read one, or took one from another device, would fail."""
    import torch

    lab, decoding, meta = load("speculative-decoding"), shared["decoding"], "meta"
    medusa, mtp = load("medusa"), load("multi-token-prediction")
    with torch.device(meta):
        model = shared["gpt"].GPT(256, 64, 2, 32, 2)
        many = mtp.MTP(64, 1, 3, 32, 2)

    def static(branches=()):
        return decoding.Static(many.gpt if branches else model, 2, 64, torch.bfloat16, branches)

    def tree():
        parents, rank, _ = medusa.grow([[0.5, 0.3]] * 2, 5)
        target = static()
        guess = medusa.guesser(target, medusa.Heads(model, 2))
        return decoding.TreeDecoder(target, 8, decoding.Tree(parents, meta), rank, guess, meta)

    def blocks():
        target = static(many.branches)
        return decoding.TreeDecoder(target, 8, decoding.chain(3, meta), [0] * 3,
                                    lambda x: target.logits(x[:, 1:]).argmax(-1)[..., None], meta)  # fmt: skip

    decoder = {
        "plain": lambda: decoding.Plain(static(), 8, meta),
        "nucleus": lambda: decoding.Plain(static(), 8, meta, 0.7, 0.9),
        "greedy": lambda: lab.Speculative(static(), lab.ModelDraft(static()), 8, 3, meta),
        "sampled": lambda: lab.Speculative(static(), lab.ModelDraft(static()), 8, 3, meta, 1.0),
        "tree": tree,
        "blocks": blocks,
    }[kind]()
    decoder.reset(torch.zeros(2, 16, dtype=torch.long, device=meta))
    with torch.no_grad():
        decoder.step()
        decoder.step()


def test_each_of_the_next_tokens_has_its_own_target(load):
    """A model that says the token itself, whichever of the next ones is asked for."""
    import torch

    lab = load("multi-token-prediction")
    tokens = torch.arange(30)[None].repeat(2, 1)
    right = lab.scored(
        lambda x: [torch.nn.functional.one_hot(x + k, 256) for k in range(1, 4)],
        tokens,
        lambda logits, target: (logits.argmax(-1) == target).float().mean().item(),
    )
    assert right == [1.0, 1.0, 1.0]


def test_sampled_speculation_keeps_the_law_and_the_wrong_rule_does_not(toys):
    p = {row["rule"]: row["p"] for row in toys["speculative-decoding"]["law"]}
    assert p["rejection"] > 1e-3 and p["target"] > 1e-3 and p["wrong"] < 1e-6


def test_the_formula(load):
    lab = load("speculative-decoding")
    for alpha, g, tokens in [(0.6, 3, 2.176), (0.8, 5, 3.689), (0.9, 10, 6.862), (1, 4, 5), (0, 4, 1)]:
        assert lab.expected(alpha, g) == pytest.approx(tokens, abs=1e-3)


def test_chi_square_pools_what_is_rare(load):
    import torch

    lab = load("speculative-decoding")
    found = lab.chi_square(torch.tensor([60, 40]), torch.tensor([0.5, 0.5]))
    assert found == {"cells": 3 - 1, "chi_square": 4.0, "freedom": 1, "p": pytest.approx(0.0455, abs=1e-4)}
    many = lab.chi_square(torch.tensor([50, 43, 4, 3]), torch.tensor([0.5, 0.43, 0.04, 0.03]))
    assert many["cells"] == 3 and many["chi_square"] == pytest.approx(0, abs=1e-9)


def test_the_ngram_draft_counts(load):
    import torch

    lab = load("speculative-decoding")
    random.seed(0)
    data = [random.randrange(4) for _ in range(500)]
    draft = lab.NgramDraft(torch.tensor(data, dtype=torch.uint8), 2)
    counts = defaultdict(Counter)
    for *context, after in zip(data, data[1:], data[2:], strict=False):
        counts[tuple(context)][after] += 1
    for context in counts:
        guess, _ = draft.guess(torch.tensor([[9, *context]]), torch.tensor([2]), 1, 0)
        assert counts[context][guess.item()] == max(counts[context].values())


def test_a_tree_is_grown_from_the_likeliest_paths(load):
    lab = load("medusa")
    accuracies = [[0.6, 0.2], [0.5, 0.3], [0.4, 0.1]]
    products = [math.prod(accuracies[k][i] for k, i in enumerate(path))
                for depth in (1, 2, 3) for path in itertools.product(range(2), repeat=depth)]  # fmt: skip
    for nodes in range(1, 15):
        parents, rank, value = lab.grow(accuracies, nodes)
        assert len(parents) == len(rank) == nodes
        assert value == pytest.approx(1 + sum(sorted(products, reverse=True)[: nodes - 1]))


def test_heads_start_as_the_model(load, setting):
    import torch

    lab, model = load("medusa"), setting[0]
    tokens = torch.randint(256, (2, 20))
    with torch.no_grad():
        logits = lab.Heads(model, 2)(lab.features(model, tokens))
        assert (logits - model(tokens)).abs().max() < 1e-4


def test_repeated_stretches(load):
    import torch

    lab = load("causal-lm-decoding")
    assert lab.repeated(torch.arange(40)[None]) == 0
    assert lab.repeated(torch.zeros(1, 20, dtype=torch.long)) == 0.8  # 5 stretches, the first is new


def test_counting_learns_more_from_more_context(toys):
    losses = [row["nll"] for row in toys["causal-lm-decoding"]["baselines"]]
    assert losses == sorted(losses, reverse=True) and losses[0] < math.log(256)


# --- the figures ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured() -> dict[str, dict]:
    return {name: results(name) for name in MEASURED}


@pytest.mark.parametrize("name", MEASURED)
def test_the_toy_run_measures_what_the_full_run_does(name, toys, measured):
    toy, full = toys[name], measured[name]
    assert set(toy) | set(full.get("without", [])) >= set(full) - {"without"}
    for key in set(toy) & set(full):
        if isinstance(full[key], list) and isinstance(full[key][0], dict):
            assert toy[key][0].keys() == full[key][0].keys(), key


@pytest.mark.parametrize("name", MEASURED)
def test_the_published_run_is_of_the_committed_script(name, measured):
    assert measured[name]["command"] == f"python labs/{name}.py --device cuda"
    for path, digest in measured[name]["files"].items():
        show = subprocess.run(["git", "show", f"{measured[name]['commit']}:{path}"], cwd=ROOT, capture_output=True)
        if show.returncode:
            pytest.skip(f"no git history here reaches {measured[name]['commit'][:12]}: git fetch --unshallow")
        assert hashlib.sha256(show.stdout).hexdigest() == digest, path


def test_what_is_measured_keeps_the_text_and_the_law(measured):
    lab = measured["speculative-decoding"]
    p = {row["rule"]: row["p"] for row in lab["law"]}
    assert p["rejection"] > 1e-3 and p["target"] > 1e-3 and p["wrong"] < 1e-6
    assert all(gap < 0.5 for row in lab["exact"] for gap in row["gaps"]), "only rounding may decide otherwise"
    assert pick(lab["exact"], dtype="float32")[0]["differ"] <= pick(lab["exact"], dtype="bfloat16")[0]["differ"]
