"""The download, from local servers only: a folder as file://, and one on this machine."""

import gzip
import hashlib
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer

import numpy as np
import pytest

from recognizers.datasets import download, mnist
from recognizers.datasets.download import DownloadError, download_mnist

NAMES = tuple(mnist.MD5)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder with four small files, which replace the originals during a test."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    sums = {}
    for number, name in enumerate(NAMES):
        shape = (2, 28, 28) if "images" in name else (2,)
        array = np.full(shape, number, dtype=np.uint8)
        header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        sums[name] = hashlib.md5(header + array.tobytes()).hexdigest()
        (folder / f"{name}.gz").write_bytes(gzip.compress(header + array.tobytes()))
    for module in (mnist, download):
        monkeypatch.setattr(module, "MD5", sums)
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


def test_fetches_over_http_and_keeps_what_is_right(mirror, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=mirror))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        paths = download_mnist(tmp_path / "new" / "mnist", address)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [p.name for p in paths] == [f"{name}.gz" for name in NAMES]
    assert all(p.read_bytes() == (mirror / p.name).read_bytes() for p in paths)
    images, labels = mnist.load_mnist(tmp_path / "new" / "mnist", "test", verify=True)
    assert (len(images), labels.tolist()) == (2, [3, 3])
    # All files are there, so that no server is asked again (it is gone).
    assert download_mnist(tmp_path / "new" / "mnist", address) == paths
    assert sorted(p.name for p in (tmp_path / "new" / "mnist").iterdir()) == sorted(
        p.name for p in paths
    )


def test_a_checksum_that_differs_is_named_and_the_old_file_stays(mirror, tmp_path):
    target = tmp_path / "mnist"
    target.mkdir()
    old = target / f"{NAMES[1]}.gz"
    old.write_bytes(b"what the user had")
    header = struct.pack(">BBBBI", 0, 0, 8, 1, 2)
    (mirror / old.name).write_bytes(gzip.compress(header + b"\x07\x07"))
    with pytest.raises(DownloadError) as caught:
        download_mnist(target, mirror.as_uri())
    message = str(caught.value)
    assert message.startswith(f"{old}: what file://")
    assert "MD5" in message
    assert "is kept" in message
    assert message.count("\n") == 0  # one file is wrong, the others have arrived
    assert old.read_bytes() == b"what the user had"
    assert len(list(target.iterdir())) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>moved</html>", "magic number"),
        (gzip.compress(struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 28, 28))[:20], "truncated or damaged"),
        (b"", "truncated at byte 0"),
    ],
    ids=["page", "gzip", "empty"],
)
def test_damaged_downloads(mirror, tmp_path, content, message):
    (mirror / f"{NAMES[2]}.gz").write_bytes(content)
    with pytest.raises(DownloadError, match=message) as caught:
        download_mnist(tmp_path / "mnist", mirror.as_uri())
    assert NAMES[2] in str(caught.value)
    assert not (tmp_path / "mnist" / f"{NAMES[2]}.gz").exists()


def test_the_next_mirror_is_asked(mirror, tmp_path):
    nowhere = (tmp_path / "nowhere").as_uri()
    paths = download_mnist(tmp_path / "mnist", [nowhere, mirror.as_uri() + "/"])
    assert len(paths) == 4
    with pytest.raises(DownloadError, match="did not answer") as caught:
        download_mnist(tmp_path / "other", [nowhere])
    assert len(str(caught.value).splitlines()) == 4
    assert list((tmp_path / "other").iterdir()) == []
    with pytest.raises(ValueError, match="at least one"):
        download_mnist(tmp_path, [])
    with pytest.raises(DownloadError, match="did not answer"):
        download_mnist(tmp_path / "other", ["no address"])


def test_an_endless_answer_is_cut_off(mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MOST_BYTES", 10)
    with pytest.raises(DownloadError, match="more than 10 bytes"):
        download_mnist(tmp_path / "mnist", mirror.as_uri())


@pytest.mark.parametrize(
    "sent",
    [
        b"no status\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
)
def test_an_answer_that_is_no_http_is_one_of_a_mirror_that_fails(mirror, tmp_path, sent):
    class Sender(StreamRequestHandler):
        def handle(self):
            self.rfile.readline()
            self.wfile.write(sent)

    with ThreadingTCPServer(("127.0.0.1", 0), Sender) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}"
            with pytest.raises(DownloadError, match="did not answer"):
                download_mnist(tmp_path / "mnist", address)
            paths = download_mnist(tmp_path / "mnist", [address, mirror.as_uri()])
        finally:
            server.shutdown()
            thread.join()
    assert all(path.is_file() for path in paths)
    with pytest.raises(DownloadError, match="did not answer"):
        download_mnist(tmp_path / "other", ["http://a b"])


def test_a_damaged_file_is_fetched_again(mirror, tmp_path):
    target = tmp_path / "mnist"
    paths = download_mnist(target, mirror.as_uri())
    paths[0].write_bytes(paths[0].read_bytes()[:-9])
    download_mnist(target, mirror.as_uri())
    assert paths[0].read_bytes() == (mirror / paths[0].name).read_bytes()
