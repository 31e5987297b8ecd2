"""The task on which ways of fine-tuning are compared."""

import pytest

METHODS = ["full", "adapters", "lora", "prefix", "prompt"]


@pytest.fixture
def prepared(torch):
    from studykit import finetuning, gpt

    makers = {"full": lambda model: model, "adapters": finetuning.adapters, "lora": finetuning.lora,
              "prefix": finetuning.Prefix, "prompt": finetuning.Prompt}  # fmt: skip
    torch.set_num_threads(1)

    def prepare(method):
        torch.manual_seed(0)
        return makers[method](gpt.load("target"))

    return prepare


def test_nobody_has_seen_the_held_out_text(torch):
    from studykit import finetuning, gpt, pretraining

    training, validation = pretraining.split(pretraining.text())
    texts = finetuning.texts()
    assert gpt.tokenizer.decode(texts.training) == "".join(
        c if c in gpt.tokenizer.characters else gpt.tokenizer.unknown for c in training.upper()
    )
    assert not set(training.split("\n\n")) & set(validation.split("\n\n"))
    assert len(texts.capitals) == len(texts.manual) == finetuning.HELD_OUT


def test_every_method_sees_the_same_windows(torch):
    from studykit import finetuning

    first, again = (torch.stack(list(finetuning.windows(3))) for _ in range(2))
    assert first.shape == (3, finetuning.ROWS, finetuning.LENGTH + 1)
    assert torch.equal(first, again) and not torch.equal(first[0], first[1])


@pytest.mark.parametrize("method", ["adapters", "lora"])
def test_a_map_beside_the_weights_changes_nothing_at_first(method, torch, prepared):
    from studykit import finetuning, gpt

    tokens = finetuning.texts().capitals[None, :64]
    with torch.no_grad():
        assert torch.equal(prepared(method)(tokens), gpt.load("target")(tokens))


@pytest.mark.parametrize("method", METHODS)
def test_five_steps_help_and_move_only_what_is_trained(method, torch, prepared):
    from studykit import finetuning

    model = prepared(method)
    before = {name: p.clone() for name, p in model.named_parameters()}
    window = next(finetuning.windows())
    first = finetuning.loss(model, window).item()
    finetuning.tune(model, finetuning.RATES[method], steps=5)
    assert finetuning.loss(model, window).item() < first - 0.01
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {name for name, p in model.named_parameters() if p.requires_grad}
    assert (len(moved) == len(before)) == (method == "full")


def test_a_prefix_is_a_cache_of_the_text_it_was_taken_from(torch, prepared):
    from studykit import finetuning, gpt

    model, tokens = prepared("prefix"), finetuning.texts().training[None, :40]
    length = model.keys.shape[2]
    cache, base = gpt.Cache(), gpt.load("target")
    with torch.no_grad():
        base(tokens[:, :length], cache=cache)
        continued = base(tokens[:, length:], cache=cache, positions=torch.arange(40 - length))
        assert torch.allclose(model(tokens[:, length:]), continued, atol=1e-6)


def test_a_prompt_is_read_like_tokens(torch, prepared):
    from studykit import finetuning, gpt

    model, tokens = prepared("prompt"), finetuning.texts().training[None, :40]
    length = len(model.prompt)
    with torch.no_grad():
        whole = gpt.load("target")(tokens)
        assert torch.allclose(model(tokens[:, length:]), whole[:, length:], atol=1e-5)
