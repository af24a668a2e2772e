import pytest
import torch
from torch import nn

from semiqc.optimise import LOOK_EVERY, PATIENCE, LoopState, Unwaited, optimise


class Pull:
    """Draws one weight towards the batch, with noise."""

    def __init__(self, weight, noise=0.0):
        self.weight = weight
        self.noise = noise
        self.updates = 0

    def losses(self, batch, iteration):
        drawn = self.noise * torch.randn(())
        return {"near": (self.weight - batch + drawn) ** 2, "small": 0 * self.weight**2}

    def after_update(self):
        self.updates += 1


@pytest.fixture
def weight():
    return nn.Parameter(torch.tensor(0.0))


def sgd(weight):
    return torch.optim.SGD([weight], lr=0.1)


def test_one_step_per_batch_by_hand(weight):
    step, heard = Pull(weight), []
    optimise(
        step, iter([1.0, 1.0]), sgd(weight), report=lambda i, values: heard.append((i, values))
    )

    # 0 - .1 * 2 * (0 - 1) = .2, and .2 - .1 * 2 * (.2 - 1) = .36
    assert weight.item() == pytest.approx(0.36)
    assert step.updates == 2
    assert heard[0] == (1, {"near": 1.0, "small": 0.0})
    assert heard[1][1]["near"] == pytest.approx(0.64)


def test_a_loss_that_is_not_finite_leaves_the_weights_and_names_its_terms(weight):
    with pytest.raises(FloatingPointError, match=r"iteration 2: \{'near': nan, 'small': 0.0\}"):
        optimise(Pull(weight), iter([1.0, float("nan")]), sgd(weight))

    assert weight.item() == pytest.approx(0.2)


class Spoilt(Pull):
    """Whose gradient is not finite in some iterations, though the loss is."""

    def __init__(self, weight, when):
        super().__init__(weight)
        self.when = when

    def losses(self, batch, iteration):
        terms = super().losses(batch, iteration)
        if iteration in self.when:
            terms["near"].register_hook(lambda gradient: gradient * float("nan"))
        return terms


def test_a_gradient_that_is_not_finite_moves_nothing(weight):
    step = Spoilt(weight, when={2})
    optimise(step, iter([1.0, 1.0, 1.0]), sgd(weight), clip=10)

    # As after two steps: .2, then .36.
    assert weight.item() == pytest.approx(0.36)
    assert step.updates == 2


def test_gradients_that_are_never_finite_end_the_loop(weight):
    lost = set(range(2, 20))

    with pytest.raises(FloatingPointError, match=r"6 gradients in a row.*the last at iteration 7"):
        optimise(Spoilt(weight, lost), iter([1.0] * 20), sgd(weight), clip=10)

    assert weight.item() == pytest.approx(0.2)


def test_the_gradient_is_clipped(weight):
    optimise(Pull(weight), iter([100.0]), sgd(weight), clip=1.0)

    assert weight.item() == pytest.approx(0.1)


def test_the_learning_rate_follows_the_schedule(weight):
    optimise(Pull(weight), iter([1.0]), sgd(weight), schedule=lambda i: 0.5 / i)

    assert weight.item() == pytest.approx(1.0)


def test_reports_come_as_often_as_asked(weight):
    heard = []
    optimise(
        Pull(weight), iter([1.0] * 7), sgd(weight), first=4, report_every=3,
        report=lambda i, values: heard.append(i),
    )  # fmt: skip

    assert heard == [6, 9]


def test_what_a_step_draws_hangs_on_seed_and_iteration_alone():
    def run(seed, first, count, start=0.0):
        weight = nn.Parameter(torch.tensor(start))
        batches = iter([1.0] * count)
        optimise(Pull(weight, noise=1.0), batches, sgd(weight), seed=seed, first=first)
        return weight.item()

    torch.manual_seed(1)
    before = torch.get_rng_state()
    whole = run(0, 1, 4)

    assert run(0, 3, 2, start=run(0, 1, 2)) == whole
    assert run(1, 1, 4) != whole
    assert torch.equal(torch.get_rng_state(), before)


def test_a_state_is_taken_up_by_the_same_loop_and_no_other(tmp_path):
    def state(identity, seed):
        torch.manual_seed(seed)
        module = nn.Linear(2, 3)
        optimizer = torch.optim.AdamW(module.parameters())
        return module, optimizer, LoopState(tmp_path, identity, {"network": module}, optimizer)

    module, optimizer, kept = state("a", 0)
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    kept.save(7)
    other, other_optimizer, found = state("a", 1)

    assert found.restore() == 7
    assert torch.equal(other.weight, module.weight)
    moments = other_optimizer.state_dict()["state"][0]
    assert torch.equal(moments["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])
    assert state("b", 1)[2].restore() == 0
    kept.path.write_bytes(kept.path.read_bytes()[:50])
    assert state("a", 1)[2].restore() == 0
    kept.forget()
    assert state("a", 1)[2].restore() == 0


def test_a_loss_is_read_only_where_the_report_looks_at_it(weight, monkeypatch):
    read = []
    plain = torch.Tensor.item
    monkeypatch.setattr(torch.Tensor, "item", lambda term: read.append(term) or plain(term))
    heard = []

    def report(iteration, values):
        if iteration == 3:
            heard.append(dict(values))

    optimise(Pull(weight), [torch.tensor(1.0)] * 4, sgd(weight), report=report)

    assert set(heard[0]) == {"near", "small"}
    assert len(read) == 2


def unwaited(weight, batches):
    update = Unwaited(Pull(weight), sgd(weight), 1.0, None)
    for iteration, batch in enumerate(batches, start=1):
        update(torch.tensor(batch), iteration)


def test_a_gpu_that_is_not_waited_for_moves_the_weights_alike(weight):
    other = nn.Parameter(torch.tensor(0.0))
    batches = [1.0, -2.0, 3.0]

    unwaited(weight, batches)
    optimise(Pull(other), [torch.tensor(one) for one in batches], sgd(other), clip=1.0)

    assert weight.item() == other.item() != 0


def test_a_lost_gradient_moves_nothing_where_nobody_waits(weight):
    unwaited(weight, [1.0] + [float("nan")] * PATIENCE)
    before = weight.item()
    assert before == pytest.approx(0.1)

    with pytest.raises(FloatingPointError, match="in a row are not finite"):
        unwaited(weight, [float("nan")] * LOOK_EVERY)
    assert weight.item() == before
