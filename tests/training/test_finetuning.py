"""Fine-tuning from frames and style codes: it learns on real photos, repeats itself, and never leaves NaN behind."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from export.weights import stylizer_of_release
from mvstylizer import release as releases
from mvstylizer.errors import InputError
from mvstylizer.network.encoder import Encoder
from mvstylizer.network.stylizer import Stylizer, StylizerConfig
from mvstylizer.pictures import fit_within
from mvstylizer.training.finetuning import FinetuneConfig, TrainingFrame, evaluate, finetune
from mvstylizer.training.loop import new_stylizer
from mvstylizer.training.packing import pack, unpack
from mvstylizer.training.photos import to_tensor

SHORT = FinetuneConfig(steps=4, crop=48, learning_rate=1e-3)


@pytest.fixture(scope="module")
def shipped() -> Stylizer:
    """The bundled release in torch; tests take its encoder."""
    return stylizer_of_release(releases.bundled())


@pytest.fixture(scope="module")
def photos() -> list[NDArray[np.uint8]]:
    """Real photos, long side 160."""
    data = pytest.importorskip("skimage.data")
    names = ("astronaut", "coffee", "chelsea", "rocket")
    return [fit_within(np.ascontiguousarray(getattr(data, name)()), 160) for name in names]


@pytest.fixture(scope="module")
def frames(shipped: Stylizer, photos: list[NDArray[np.uint8]]) -> list[TrainingFrame]:
    """Each photo in the next one's style."""
    with torch.no_grad():
        codes = [shipped.encode_style(to_tensor(photo[None]))[0].numpy() for photo in photos]
    return [TrainingFrame(photo, code) for photo, code in zip(photos, [*codes[1:], codes[0]], strict=True)]


@pytest.fixture
def fresh(shipped: Stylizer) -> Callable[[], Stylizer]:
    """Stylizers at the closed-form start, around the shipped encoder."""

    def make() -> Stylizer:
        encoder = Encoder()
        encoder.load_state_dict(shipped.encoder.state_dict())
        return new_stylizer(StylizerConfig(), encoder, 0)

    return make


@pytest.mark.slow
def test_it_learns(fresh: Callable[[], Stylizer], frames: list[TrainingFrame]) -> None:
    """Sixty steps on real photos lower the loss and the style's half of Eq. 5, and leave the encoder alone."""
    stylizer = fresh()
    encoder = {name: value.clone() for name, value in stylizer.encoder.state_dict().items()}
    before = evaluate(stylizer, frames, crop=96)
    during = finetune(stylizer, frames, FinetuneConfig(steps=60, crop=96, learning_rate=3e-4))
    after = evaluate(stylizer, frames, crop=96)
    assert after.loss < 0.95 * before.loss and after.style < 0.95 * before.style
    assert during.images == 120 and after.images == len(frames)
    assert all(torch.equal(value, encoder[name]) for name, value in stylizer.encoder.state_dict().items())


def test_the_seed_decides(fresh: Callable[[], Stylizer], frames: list[TrainingFrame]) -> None:
    """The same seed gives the same weights and metrics, another one others."""
    weights, metrics = [], []
    for seed in (1, 1, 2):
        stylizer = fresh()
        metrics.append(finetune(stylizer, frames, replace(SHORT, seed=seed)))
        weights.append(pack(stylizer))
    assert np.array_equal(weights[0], weights[1]) and metrics[0] == metrics[1]
    assert not np.array_equal(weights[0], weights[2]) and metrics[0] != metrics[2]


def test_all_trained_weights_move(fresh: Callable[[], Stylizer], frames: list[TrainingFrame]) -> None:
    """Decoder, colorization and meta-smoothing learn, all of their weights, within a dozen steps."""
    stylizer = fresh()
    before = {name: parameter.detach().clone() for name, parameter in stylizer.named_parameters()}
    finetune(stylizer, frames, replace(SHORT, steps=12))
    for name, parameter in stylizer.named_parameters():
        assert torch.equal(parameter, before[name]) == name.startswith("encoder."), name


def test_evaluation_draws_nothing_and_learns_nothing(shipped: Stylizer, frames: list[TrainingFrame]) -> None:
    """Two evaluations agree to the last digit, change no weight, and see neither the random state nor other frames."""
    before = pack(shipped)
    torch.manual_seed(1)
    first = evaluate(shipped, frames, crop=64)
    torch.manual_seed(2)
    assert evaluate(shipped, frames, crop=64) == first
    assert np.array_equal(pack(shipped), before) and not any(p.grad is not None for p in shipped.parameters())
    each = [evaluate(shipped, [frame], crop=64).loss for frame in frames]
    assert np.mean(each) == pytest.approx(first.loss, rel=1e-6)


def test_proximal_term_holds_weights_back(fresh: Callable[[], Stylizer], frames: list[TrainingFrame]) -> None:
    """With FedProx's term the weights end nearer to where they began."""
    moved = []
    for mu in (0.0, 100.0):
        stylizer = fresh()
        before = pack(stylizer)
        finetune(stylizer, frames, replace(SHORT, steps=20, proximal=mu))
        moved.append(np.linalg.norm(pack(stylizer) - before))
    assert moved[1] < 0.7 * moved[0]


def test_what_is_not_finite_is_not_learnt(fresh: Callable[[], Stylizer], frames: list[TrainingFrame]) -> None:
    """Weights that give no finite gradient are an InputError, and the stylizer is as it was before."""
    broken = fresh()
    flat = np.full_like(pack(broken), 3e38)
    unpack(broken, flat)
    with pytest.raises(InputError, match="no finite gradient"):
        finetune(broken, frames, SHORT)
    assert np.array_equal(pack(broken), flat)


def test_one_bad_frame_does_not_stop_the_others(fresh: Callable[[], Stylizer], frames: list[TrainingFrame]) -> None:
    """Steps whose gradient is not finite, here by an absurd style code, change nothing; the others are learnt from."""
    stylizer = fresh()
    before = pack(stylizer)
    absurd = replace(frames[0], code=np.full_like(frames[0].code, 1e38))
    metrics = finetune(stylizer, [absurd, *frames[1:]], replace(SHORT, steps=12, batch=1))
    assert metrics.images < 12 and np.isfinite(metrics.loss)
    assert np.isfinite(pack(stylizer)).all() and not np.array_equal(pack(stylizer), before)


def test_frames_that_cannot_be_used_are_refused(shipped: Stylizer, frames: list[TrainingFrame]) -> None:
    """No frames, frames too small, codes of another length or not finite: an InputError before anything is learnt."""
    first = frames[0]
    bad = np.full_like(first.code, np.nan)
    cases = [[], [replace(first, picture=first.picture[:20])], [replace(first, code=first.code[:-1])],
             [first, replace(first, code=bad)]]  # fmt: skip
    before = pack(shipped)
    for case in cases:
        with pytest.raises(InputError):
            finetune(shipped, case, SHORT)
        with pytest.raises(InputError):
            evaluate(shipped, case)
    assert np.array_equal(pack(shipped), before)
