import math

import pytest
import torch

from recognizers.distortion import Distortion, warp

NONE = Distortion(translation=0, scaling=0, squeezing=0, shearing=0)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def only(**strength):
    return Distortion(**{"translation": 0, "scaling": 0, "squeezing": 0, "shearing": 0, **strength})


def map_of(a, b, c, d, x=0.0, y=0.0):
    return torch.tensor([[[a, b, x], [c, d, y]]], dtype=torch.float64)


@pytest.mark.parametrize("size", [(32, 32), (20, 45), (7, 4)])
def test_zero_strength_is_the_identity(size):
    images = torch.rand(3, 1, *size, generator=seeded())
    assert (NONE(images) - images).abs().max() < 1e-6


def test_translation_moves_ink_by_whole_pixels():
    images = torch.full((1, 1, 6, 9), -0.1)
    images[0, 0, 2, 3] = 1.0
    moved = warp(images, map_of(1, 0, 0, 1, x=4.0, y=-1.0))
    expected = torch.full((1, 1, 6, 9), -0.1)
    expected[0, 0, 1, 7] = 1.0
    assert torch.allclose(moved, expected, atol=1e-5)


def test_quarter_turn_on_a_square_image():
    images = torch.rand(1, 1, 5, 5, generator=seeded())
    # x goes to y and y to -x: clockwise, as y points down.
    turned = warp(images, map_of(0, -1, 1, 0), background=0.0)
    assert torch.allclose(turned, torch.rot90(images, -1, (2, 3)), atol=1e-5)


def test_mirror_of_an_oblong_image():
    images = torch.rand(1, 1, 4, 10, generator=seeded())
    assert torch.allclose(warp(images, map_of(-1, 0, 0, 1)), images.flip(3), atol=1e-5)


def test_shear_shifts_rows_in_proportion_to_their_height():
    images = torch.zeros(1, 1, 5, 11)
    images[0, 0, :, 5] = 1.0
    sheared = warp(images, map_of(1, 1, 0, 1))
    assert sheared[0, 0].argmax(1).tolist() == [3, 4, 5, 6, 7]


def test_doubling_the_size_spreads_ink_over_four_times_the_area():
    images = torch.zeros(1, 1, 16, 16)
    images[0, 0, 6:10, 6:10] = 1.0
    assert warp(images, map_of(2, 0, 0, 2)).sum().item() == pytest.approx(64.0, rel=1e-3)


def test_each_kind_stays_in_its_range():
    n = 2000
    m = only(translation=3.0).matrices(n, seeded())
    assert torch.equal(m[:, :, :2], torch.eye(2, dtype=torch.float64).expand(n, 2, 2))
    assert 2.9 < m[:, :, 2].abs().max() <= 3.0
    m = only(scaling=0.25).matrices(n, seeded())
    assert torch.equal(m[:, 0, 0], m[:, 1, 1])
    assert 0.8 <= m[:, 0, 0].min() < 0.81
    assert 1.24 < m[:, 0, 0].max() <= 1.25 + 1e-12
    m = only(squeezing=0.25).matrices(n, seeded())
    assert torch.allclose(m[:, 0, 0] * m[:, 1, 1], torch.ones(n, dtype=torch.float64))
    assert 1.24 < m[:, 0, 0].max() <= 1.25 + 1e-12
    m = only(shearing=0.3).matrices(n, seeded())
    assert 0.29 < m[:, 0, 1].abs().max() <= 0.3
    assert (m[:, 1, 0] == 0).all()
    m = only(rotation=30.0).matrices(n, seeded())
    assert torch.allclose(torch.linalg.det(m[:, :, :2]), torch.ones(n, dtype=torch.float64))
    assert 0.49 < m[:, 1, 0].abs().max() <= 0.5
    assert torch.equal(m[:, 1, 0] > 0, m[:, 0, 1] < 0)


def test_the_default_family_has_no_rotation():
    assert (Distortion().matrices(50, seeded())[:, 1, 0] == 0).all()


def test_images_differ_and_the_seed_decides():
    images = torch.rand(1, 1, 12, 12, generator=seeded()).expand(3, -1, -1, -1)
    first = Distortion()(images, seeded(5))
    assert torch.equal(first, Distortion()(images, seeded(5)))
    assert not torch.equal(first, Distortion()(images, seeded(6)))
    assert not torch.equal(first[0], first[1])


def test_background_per_image():
    images = torch.stack([torch.full((1, 8, 8), v) for v in (0.25, -3.0)])
    away = map_of(1, 0, 0, 1, x=5.0).expand(2, 2, 3)
    # By default it is the median of the border, so that a blank image stays blank.
    assert torch.allclose(warp(images, away), images)
    given = warp(images, away, background=torch.tensor([7.0, 8.0]))
    assert given[0, 0, 0, 0] == pytest.approx(7.0)
    assert given[1, 0, 0, 0] == pytest.approx(8.0)
    assert given[1, 0, 0, 7] == pytest.approx(-3.0)


def test_gradients_reach_the_images():
    images = torch.rand(2, 1, 6, 6, dtype=torch.float64, generator=seeded(), requires_grad=True)
    maps = Distortion().matrices(2, seeded())
    assert torch.autograd.gradcheck(lambda x: warp(x, maps, 0.0), (images,))


def test_an_empty_batch_stays_empty():
    assert Distortion()(torch.empty(0, 1, 32, 32)).shape == (0, 1, 32, 32)


def test_errors():
    with pytest.raises(ValueError, match="shearing"):
        Distortion(shearing=-0.1)
    with pytest.raises(ValueError, match="scaling"):
        Distortion(scaling=math.nan)
    with pytest.raises(ValueError, match="floating point"):
        NONE(torch.zeros(1, 1, 4, 4, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"\[2, 2, 3\]"):
        warp(torch.zeros(2, 1, 4, 4), map_of(1, 0, 0, 1))
    with pytest.raises(ValueError, match="image 0 has no inverse"):
        warp(torch.zeros(1, 1, 4, 4), map_of(1, 0, 0, 0))
    with pytest.raises(ValueError, match="background"):
        warp(torch.zeros(1, 1, 4, 4), map_of(1, 0, 0, 1), torch.zeros(3))


def test_elastic_displacements_are_smooth_and_as_strong_as_asked():
    elastic = only(elastic=1.5)
    moves = elastic.displacements(400, 32, 32, seeded())
    assert moves.shape == (400, 2, 32, 32)
    # Cubic interpolation between independent values loses some of their variance.
    assert 1.0 < moves.std().item() < 1.6
    steps = (moves[..., 1:] - moves[..., :-1]).std().item()
    assert steps < 0.35 * moves.std().item()
    far = (moves[..., 0] * moves[..., 18]).mean().item() / moves.var().item()
    assert abs(far) < 0.1


def test_a_displacement_says_where_a_pixel_is_fetched():
    images = torch.rand(2, 1, 5, 7, generator=seeded())
    moves = torch.zeros(2, 2, 5, 7)
    moves[0, 0], moves[1, 1] = 1.0, -1.0
    moved = warp(images, map_of(1, 0, 0, 1).expand(2, 2, 3), 0.0, moves)
    assert torch.allclose(moved[0, 0, :, :-1], images[0, 0, :, 1:], atol=1e-5)
    assert torch.allclose(moved[1, 0, 1:], images[1, 0, :-1], atol=1e-5)
    with pytest.raises(ValueError, match=r"displacements must be \[2, 2, 5, 7\]"):
        warp(images, map_of(1, 0, 0, 1).expand(2, 2, 3), 0.0, moves[:1])


def test_elastic_distortion_keeps_shape_and_seed():
    images = torch.rand(3, 1, 32, 32, generator=seeded())
    elastic = only(elastic=1.0)
    assert torch.equal(elastic(images, seeded(1)), elastic(images, seeded(1)))
    assert not torch.allclose(elastic(images, seeded(1)), images, atol=0.05)
    assert elastic(images[:0]).shape == (0, 1, 32, 32)
    with pytest.raises(ValueError, match="elastic_spacing"):
        only(elastic_spacing=0.5)
