import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from recognizers.datasets.mnist import IdxError, load_mnist, read_idx, to_input

DATA = Path(
    os.environ.get("GTN_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
).joinpath("mnist")
needs_mnist = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"no MNIST in {DATA}; set GTN_DATA to the folder above mnist"
)
IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 28, 28), dtype=np.uint8)
    (tmp_path / IMAGES).write_bytes(idx(images))
    (tmp_path / LABELS).write_bytes(idx(np.array([7, 0, 9], dtype=np.uint8)))
    return tmp_path, images


@needs_mnist
def test_the_original_test_files():
    images, labels = load_mnist(DATA, "test", verify=True)
    assert images.shape == (10_000, 28, 28)
    assert images.dtype == labels.dtype == torch.uint8
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert torch.bincount(labels.long()).tolist()[:3] == [980, 1135, 1032]


@needs_mnist
def test_the_original_training_files():
    images, labels = load_mnist(DATA, "train", verify=True)
    assert images.shape == (60_000, 28, 28)
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    # Mean and variance after the paper's scaling, on the unpadded and the padded images.
    x = to_input(images[:20_000])
    inner = x[:, :, 2:-2, 2:-2]
    assert inner.mean().item() == pytest.approx(0.0666, abs=0.003)
    assert inner.var().item() == pytest.approx(0.154, abs=0.003)
    assert x.mean().item() == pytest.approx(0.0275, abs=0.003)


@pytest.mark.parametrize("zipped", [False, True])
def test_plain_and_gzipped_files(folder, zipped):
    directory, expected = folder
    if zipped:
        for name in (IMAGES, LABELS):
            plain = directory / name
            (directory / f"{name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
    images, labels = load_mnist(directory, "test")
    assert np.array_equal(images.numpy(), expected)
    assert labels.tolist() == [7, 0, 9]
    images[0, 0, 0] = 1  # the arrays are the caller's own


def test_to_input_scales_and_pads():
    images = torch.zeros(2, 28, 28, dtype=torch.uint8)
    images[1, 0, 27] = 255
    images[1, 5, 6] = 51
    x = to_input(images)
    assert x.shape == (2, 1, 32, 32)
    assert x.dtype == torch.float32
    assert (x[0] == np.float32(-0.1)).all()
    assert x[1, 0, 2, 29].item() == pytest.approx(1.175)
    assert x[1, 0, 7, 8].item() == pytest.approx(-0.1 + 1.275 / 5)
    assert torch.equal(to_input(images.numpy()), x)
    for wrong in (images.float(), images[0]):
        with pytest.raises(ValueError, match="uint8"):
            to_input(wrong)


def test_missing_files_and_unknown_split(tmp_path):
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        load_mnist(tmp_path)
    with pytest.raises(ValueError, match="split"):
        load_mnist(tmp_path, "validation")


def test_swapped_files(folder):
    directory, _ = folder
    images, labels = directory / IMAGES, directory / LABELS
    a, b = images.read_bytes(), labels.read_bytes()
    images.write_bytes(b)
    labels.write_bytes(a)
    with pytest.raises(IdxError, match=rf"{IMAGES}: .*holds labels.*swapped"):
        load_mnist(directory, "test")


HEADER = struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 28, 28)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated at byte 0"),
        (b"\x00\x00\x08", "truncated at byte 3"),
        (b"\x89PNG" + bytes(40), "magic number 89 50 4e 47 at byte 0"),
        (b"\x00\x00\x0d\x03" + bytes(40), "magic number 00 00 0d 03"),
        (HEADER[:9], "truncated at byte 9, the header takes 16"),
        (HEADER + bytes(1000), r"truncated at byte 1016, .*2x28x28 = 1,568 bytes"),
        (HEADER + bytes(1569), "bytes follow at 1584"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 28, 28), "too many"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_damaged_files(tmp_path, content, message, zipped):
    path = tmp_path / "digits"
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(IdxError, match=message) as caught:
        read_idx(path, 3)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("damage", [lambda z: z[:-20], lambda z: z[:60] + b"\xff" * 8 + z[68:]])
def test_damaged_gzip(tmp_path, damage):
    path = tmp_path / "digits.gz"
    noise = np.random.default_rng(0).integers(0, 256, (2, 28, 28), dtype=np.uint8)
    path.write_bytes(damage(gzip.compress(idx(noise))))
    with pytest.raises(IdxError, match=r"digits\.gz: .*(truncated or damaged)"):
        read_idx(path, 3)


def test_labels_out_of_range(folder):
    directory, _ = folder
    (directory / LABELS).write_bytes(idx(np.array([7, 10, 9], dtype=np.uint8)))
    with pytest.raises(IdxError, match=rf"{LABELS}: label 1 \(byte 9\) is 10"):
        load_mnist(directory, "test")


def test_different_numbers_of_images_and_labels(folder):
    directory, _ = folder
    (directory / LABELS).write_bytes(idx(np.array([7, 1], dtype=np.uint8)))
    with pytest.raises(IdxError, match=r"3 images, but .* 2 labels"):
        load_mnist(directory, "test")


def test_no_images(folder):
    directory, _ = folder
    (directory / IMAGES).write_bytes(idx(np.zeros((0, 28, 28), dtype=np.uint8)))
    (directory / LABELS).write_bytes(idx(np.zeros(0, dtype=np.uint8)))
    with pytest.raises(IdxError, match=rf"{IMAGES}: the header at byte 4 gives 0 images"):
        load_mnist(directory, "test")


def test_images_of_another_size(folder):
    directory, _ = folder
    (directory / IMAGES).write_bytes(idx(np.zeros((3, 20, 20), dtype=np.uint8)))
    with pytest.raises(IdxError, match="20x20, 28x28 would be right"):
        load_mnist(directory, "test")


def test_verify_notices_other_content(folder):
    directory, _ = folder
    with pytest.raises(IdxError, match=rf"{IMAGES}: the MD5"):
        load_mnist(directory, "test", verify=True)
