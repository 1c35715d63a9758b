"""The methods of Fig. 9 on small sets: they learn, count what they keep, and refuse bad input."""

import numpy as np
import pytest
import torch
from scipy import optimize
from sklearn.datasets import load_digits

from recognizers.baselines import support_vectors
from recognizers.baselines.linear import Linear, PairwiseLinear
from recognizers.baselines.local_learning import LocalLinear
from recognizers.baselines.neighbours import Neighbours, vote
from recognizers.baselines.perceptron import Perceptron
from recognizers.baselines.polynomial import Quadratic
from recognizers.baselines.radial import RadialBasis
from recognizers.baselines.reduced_set import ReducedSet
from recognizers.baselines.samples import ridge
from recognizers.baselines.support_vectors import (
    SupportVectors,
    VirtualSupportVectors,
    neighbours_of,
)
from recognizers.baselines.tangent import (
    TangentNeighbours,
    _bases,
    plane_distances,
    smoothed,
    tangents_of,
)
from recognizers.distortion import Distortion

METHODS = [
    (Linear(1.0), 0.1),
    (PairwiseLinear(1.0), 0.1),
    (Neighbours(3), 0.04),
    (Quadratic(20, 0.1), 0.06),
    (RadialBasis(100, 2.0, 1e-5), 0.06),
    (Perceptron((30,), passes=15, step=0.01), 0.1),
    (LocalLinear(50), 0.05),
    (SupportVectors(4), 0.05),
    (ReducedSet(100, passes=2), 0.09),
]


@pytest.fixture(scope="module")
def digits():
    """The 1,797 digits of 8x8 pixels that scikit-learn carries: samples and labels."""
    data = load_digits()
    return (data.data / 16.0).astype(np.float32), data.target


@pytest.mark.parametrize(("model", "most"), METHODS, ids=lambda v: type(v).__name__)
def test_learns_small_digits(digits, model, most):
    samples, labels = digits
    assert model.fit(samples[:1200], labels[:1200]) is model
    penalties = model.penalties(samples[1200:])
    assert penalties.shape == (597, 10)
    assert np.isfinite(penalties).all()
    assert (penalties.argmin(1) != labels[1200:]).mean() <= most
    # A sample has the same penalties, whatever stands beside it.
    alone = model.penalties(samples[1200:1203])
    assert np.allclose(alone, penalties[:3], rtol=1e-3, atol=1e-3)
    assert isinstance(model.multiply_adds, int)
    assert model.multiply_adds > 0
    assert model.memory > 0


@pytest.mark.parametrize(("model", "most"), METHODS, ids=lambda v: type(v).__name__)
def test_bad_samples_are_refused(digits, model, most):
    samples, labels = digits
    with pytest.raises(ValueError, match=r"samples must be \[N, D\], not \[3\]"):
        model.fit(np.zeros(3), np.zeros(3, int))
    with pytest.raises(ValueError, match="labels must be integers"):
        model.fit(samples[:50], labels[:49])
    with pytest.raises(ValueError, match="all classes from 0 to 9"):
        model.fit(samples[:5], labels[:5])
    wrong = samples[:20].copy()
    wrong[7, 3] = np.nan
    with pytest.raises(ValueError, match="sample 7 is not finite"):
        model.fit(wrong, labels[:20])
    model.fit(samples[:300], labels[:300])
    with pytest.raises(ValueError, match=r"samples must be \[N, 64\]"):
        model.penalties(samples[:2, :60])


def test_counts_of_the_paper():
    """The sizes of Figs. 11 and 12 follow from the layers, not from a table."""
    labels = np.arange(20) % 10
    samples = np.random.default_rng(0).random((20, 784), dtype=np.float32)
    pairwise = PairwiseLinear().fit(samples, labels)
    assert (pairwise.multiply_adds, pairwise.memory) == (35_280, 35_325)
    linear = Linear().fit(samples, labels)
    assert (linear.multiply_adds, linear.memory) == (7_840, 7_850)
    assert Linear().fit(samples[:, :400], labels).memory == 4_010
    network = Perceptron((500, 150), passes=1).fit(samples, labels)
    assert network.multiply_adds == 468_500
    network = Perceptron((300, 100), passes=1).fit(samples, labels)
    assert network.multiply_adds == 266_200
    many = np.random.default_rng(1).random((100, 784), dtype=np.float32)
    quadratic = Quadratic(40).fit(many, np.arange(100) % 10)
    assert quadratic.inputs == 821
    assert quadratic.multiply_adds == 40 * 784 + 820 + 820 * 10
    radial = RadialBasis(20).fit(many, np.arange(100) % 10)
    assert radial.multiply_adds == 784 * 20 + 200


def test_ridge_is_least_squares_with_a_penalty():
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(40, 5)), rng.normal(size=(40, 2))
    gram = X.T @ X
    strength = 0.3 * np.trace(gram) / 5
    rows = np.vstack([X, np.sqrt(strength) * np.eye(5)])
    expected = np.linalg.lstsq(rows, np.vstack([T, np.zeros((5, 2))]), rcond=None)[0]
    assert np.allclose(ridge(gram, X.T @ T, 0.3), expected)


def test_pairs_are_trained_on_their_two_classes_only(digits):
    samples, labels = digits
    model = PairwiseLinear(0.1).fit(samples, labels)
    others = labels.copy()
    others[labels == 4] = 5  # a class that the unit for 2 against 7 never sees
    others[np.flatnonzero(labels == 5)[:3]] = 4
    again = PairwiseLinear(0.1).fit(samples, others)
    of_pair = model.pairs.tolist().index([2, 7])
    assert np.array_equal(model.units[:, of_pair], again.units[:, of_pair])
    assert not np.array_equal(model.units, again.units)


def test_votes_come_before_distances():
    distances = np.array([[1.0, 2.0, 3.0, 8.0]])
    penalties = vote(distances, np.array([[4, 6, 6, 5]]), 3)[0]
    assert penalties[6] == 1 + 2 / 8
    assert penalties[4] == 2 + 1 / 8
    assert penalties[5] == 3 + 8 / 8
    assert penalties[0] == 4
    # Tied votes go to the nearest.
    assert vote(distances, np.array([[4, 6, 9, 5]]), 3)[0].argmin() == 4


def test_the_distortions_of_a_network_are_drawn_by_its_seed(digits):
    samples, labels = digits
    models = [
        Perceptron((10,), passes=1, distortion=Distortion(translation=1), seed=seed)
        for seed in (3, 3, 4)
    ]
    losses = [model.fit(samples[:300], labels[:300]).losses for model in models]
    assert losses[0] == losses[1] != losses[2]
    plain = Perceptron((10,), passes=1, seed=3).fit(samples[:300], labels[:300])
    assert plain.losses != losses[0]
    with pytest.raises(ValueError, match="are not square images"):
        models[0].fit(samples[:300, :60], labels[:300])


def test_plane_distance_is_the_least_over_both_planes():
    rng = np.random.default_rng(0)
    T1, T2 = rng.normal(size=(2, 3, 12))
    d = rng.normal(size=12)
    slack = 0.4

    def squared(steps):
        moved = d + steps[:3] @ T1 - steps[3:] @ T2
        return moved @ moved + slack * steps @ steps

    expected = optimize.minimize(squared, np.zeros(6), tol=1e-12).fun
    bases = _bases(torch.from_numpy(np.stack([T1, T2])).float(), slack)
    found = plane_distances(torch.from_numpy(d).float(), bases[0], bases[1])
    assert float(found) == pytest.approx(expected, rel=1e-3)


def test_tangents_are_the_derivatives_of_small_movements():
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (1, 16, 16), dtype=np.uint8)
    smooth = smoothed(images, 2.0)
    tangents = tangents_of(smooth)[0]
    # Except at the border, moving right by a pixel subtracts the derivative along x.
    moved = np.roll(smooth[0], 1, axis=1) - np.roll(smooth[0], -1, axis=1)
    assert np.allclose(-moved[2:-2, 2:-2] / 2, tangents[0, 2:-2, 2:-2], atol=1e-5)
    assert (tangents[6] >= 0).all()


def test_tangent_distance_forgives_what_euclidean_distance_does_not():
    y, x = np.mgrid[:16, :16]
    shapes = [np.exp(-(((x - 8) / 5.0) ** 2 + ((y - 8 + k / 2) / 2.0) ** 2)) for k in range(10)]
    images = np.rint(255 * np.stack(shapes)).astype(np.uint8)
    model = TangentNeighbours(k=1, euclidean=10, candidates=10, smoothing=1.0)
    model.fit(images, np.arange(10))
    points, bases = model._planes(np.roll(images, 1, axis=2))
    difference = points - model.points
    apart = plane_distances(difference, bases, model.bases)
    assert (apart < 0.2 * (difference**2).sum(1)).all()
    assert model.memory == 10 * 256 * 8
    with pytest.raises(ValueError, match="candidates"):
        TangentNeighbours(k=1, euclidean=5, candidates=10)
    with pytest.raises(ValueError, match="uint8"):
        model.penalties(images / 255.0)


def test_virtual_samples_are_moved_by_a_pixel(digits):
    samples, _ = digits
    moved = neighbours_of(samples[:7]).reshape(5, 7, 8, 8)
    images = samples[:7].reshape(7, 8, 8)
    assert np.array_equal(moved[0], images)
    for (down, right), shifted in zip(support_vectors.SHIFTS, moved, strict=True):
        expected = np.zeros_like(images)
        expected[:, max(down, 0) : 8 + min(down, 0), max(right, 0) : 8 + min(right, 0)] = images[
            :, max(-down, 0) : 8 + min(-down, 0), max(-right, 0) : 8 + min(-right, 0)
        ]
        assert np.array_equal(shifted, expected)
    with pytest.raises(ValueError, match="are not square images"):
        neighbours_of(samples[:2, :60])


def test_an_interrupted_virtual_machine_goes_on(digits, tmp_path, monkeypatch):
    samples, labels = (part[:400] for part in digits)
    whole = VirtualSupportVectors(3).fit(samples, labels)
    state = tmp_path / "run" / "support.npy"

    def interrupt(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(support_vectors, "neighbours_of", interrupt)
        with pytest.raises(KeyboardInterrupt):
            VirtualSupportVectors(3, state=state).fit(samples, labels)
    assert [p.name for p in state.parent.iterdir()] == ["support.npy"]
    resumed = VirtualSupportVectors(3, state=state)
    first = SupportVectors.fit
    calls = []
    monkeypatch.setattr(SupportVectors, "fit", lambda *a: calls.append(0) or first(*a))
    resumed.fit(samples, labels)
    assert len(calls) == 1
    assert np.array_equal(resumed.penalties(samples), whole.penalties(samples))


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="multiple of 10"):
        RadialBasis(55)
    with pytest.raises(ValueError, match="k must be"):
        Neighbours(0)
