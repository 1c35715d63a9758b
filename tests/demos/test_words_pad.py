"""The pad: its page, its answers to ink, and what it says to anything else that is posted."""

import http.client
import json
import re
import socket
import struct
import threading

import numpy as np
import pytest
import torch
from html_pages import Page

from demos.words.measuring.folder import load_folder
from demos.words.pad.kept_ink import KeptInk
from demos.words.pad.server import (
    MOST_BYTES,
    MOST_POINTS,
    MOST_STROKES,
    MOST_TURNS,
    PadError,
    PadServer,
    answer,
)
from demos.words.reading.reader import WordReader
from demos.words.report.page import Reader
from demos.words.samples.handwriting import write_word
from grammars.words import word_list
from recognizers.online.ink import InkError
from recognizers.online.ink_files import to_json

WORDS = ["ink", "hand", "paper", "a", "in", "an", "it"]


@pytest.fixture(scope="module")
def reader():
    torch.manual_seed(0)
    return Reader(WordReader("segments").eval(), word_list(WORDS))


@pytest.fixture(scope="module")
def server(reader):
    with PadServer(reader) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)

    def ask(method, path, body=None, headers=None):
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read().decode()

    yield ask
    connection.close()


def strokes(ink):
    return json.dumps({"strokes": [[[x, -y] for x, y in stroke] for stroke in ink]})


def test_the_page_has_no_part_that_comes_from_elsewhere(ask):
    response, text = ask("GET", "/")
    assert response.status == 200
    assert response.getheader("Content-Type") == "text/html; charset=utf-8"
    policy = response.getheader("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    page = Page(text)
    assert not page.links
    assert page.tags.count("canvas") == 1
    assert not re.search(r"https?:|@import|url\(", text)
    assert "7 words" in page.text


def test_strokes_are_read_as_a_file_would_be(ask, reader):
    ink = write_word("ink")
    response, text = ask("POST", "/read", strokes(ink))
    assert response.status == 200
    found = json.loads(text)
    own = reader.read(ink).readings
    assert [w["text"] for w in found["words"]] == [r.text for r in own]
    assert [w["posterior"] for w in found["words"]] == pytest.approx([r.posterior for r in own])
    page = Page(found["html"])
    assert page.tags.count("svg") == 4  # lines, pieces, both graphs
    assert "script" not in page.tags
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert "Interpretation graph" in page.text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "not JSON"),
        ("strokes", "not JSON"),
        ("[[[1, 2", "not JSON"),
        ("3", "must be a list"),
        ("{}", 'no "strokes"'),
        ('{"strokes": []}', "no stroke has a point: write something first"),
        ("[[], []]", "no stroke has a point"),
        ("[[[1]]]", "point 0 of stroke 0"),
        ('[[["1", 2]]]', r"\[x, y\] would be right"),
        ("[[[1, 1e999]]]", "finite"),
        ("[[[NaN, 1]]]", "finite"),
        ("[[[1, 1e300]]]", "within"),
        ("[" * 100_000, "not JSON"),
        (b"\xff\xfe", "cannot be read"),
        (json.dumps([[[0, 0]] * (MOST_POINTS + 1)]), "20,001 points; at most 20,000"),
        (json.dumps([[[6 * i, i % 2 * 40] for i in range(10_000)]]), "^10,000 turns of the pen"),
        (json.dumps([[[6 * i, i % 2 * 40] for i in range(MOST_TURNS + 1)]]), "401 turns .* 400"),
        (json.dumps([[[4 * i, 0]] for i in range(MOST_STROKES + 1)]), "201 strokes, .* has 200"),
    ],
)
def test_a_bad_post_is_told_what_is_wrong(ask, body, message):
    response, text = ask("POST", "/read", body)
    assert response.status == 400
    assert re.search(message, json.loads(text)["error"])


def test_the_longest_words_and_much_that_is_none_are_read(ask):
    drawn = [[[6 * i, i % 2 * 40] for i in range(MOST_TURNS)]]
    drawn += [[[12 * i, 60]] for i in range(MOST_STROKES - 1)]
    longest = write_word("pneumonoultramicroscopicsilicovolcanoconiosis")
    for body in (json.dumps(drawn), strokes(longest)):
        response, _ = ask("POST", "/read", body)
        assert response.status == 200


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (str(MOST_BYTES + 1), "1,048,577 bytes; at most 1,048,576 are read"),
        ("9" * 4000, "bytes; at most"),
        ("-1", "needs a Content-Length"),
        ("many", "needs a Content-Length"),
        ("²", "needs a Content-Length"),
    ],
)
def test_absurd_sizes_are_refused_before_they_are_read(ask, length, message):
    headers = {"Content-Length": length.encode("latin-1")}
    response, text = ask("POST", "/read", None, headers)
    assert response.status == 400
    assert re.search(message, json.loads(text)["error"])


def test_the_pad_goes_on_after_bad_posts(ask):
    for _ in range(3):
        assert ask("POST", "/read", "no")[0].status == 400
    assert ask("POST", "/read", to_json(write_word("a")))[0].status == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/favicon.ico", {}, 404),
        ("GET", "/../demos", {}, 404),
        ("POST", "/", {}, 404),
        ("POST", "/read", {"Origin": "http://elsewhere.example"}, 403),
        ("GET", "/", {"Host": "elsewhere.example"}, 403),
        ("PUT", "/read", {}, 501),
    ],
)
def test_other_paths_pages_and_methods(ask, method, path, headers, status):
    assert ask(method, path, headers=headers)[0].status == status


@pytest.fixture
def keeping(reader, tmp_path):
    with PadServer(reader, kept=KeptInk(tmp_path / "<own>")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)

        def ask(method, path, body=None):
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read().decode()

        yield server.kept.folder, ask
        connection.close()
        server.shutdown()
        thread.join()


def test_what_is_written_is_kept_for_adapt(keeping, ask):
    folder, keep = keeping
    page = keep("GET", "/")[1]
    assert 'id="keep"' in page
    assert "0 kept in " in page
    assert "&lt;own&gt;" in page
    for count, (word, label) in enumerate([("ink", "ink"), ("a", "A"), ("it", "in")], 1):
        written = json.dumps(json.loads(strokes(write_word(word))) | {"label": label})
        status, found = keep("POST", "/keep", written)
        assert (status, json.loads(found)) == (200, {"file": f"{count:04d}.json", "count": count})
    words, problems = load_folder(folder)
    assert [one.label for one in words] == ["ink", "a", "in"]
    assert problems == []
    np.testing.assert_allclose(words[0].ink.points, write_word("ink").points)
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    for label in ("", "two words", "4th", None, 3):
        written = json.dumps(json.loads(strokes(write_word("it"))) | {"label": label})
        status, found = keep("POST", "/keep", written)
        assert status == 400
        assert re.search("is not a word of the letters|must be text", json.loads(found)["error"])
    assert keep("POST", "/keep", "[]")[0] == 400
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before
    (folder / "labels.csv").write_bytes(b"\xff")
    for method, path in (("GET", "/"), ("POST", "/keep")):
        written = json.dumps(json.loads(strokes(write_word("it"))) | {"label": "it"})
        status, found = keep(method, path, written)
        assert status in (400, 500)
        assert "labels.csv: cannot be read" in json.loads(found)["error"]
    # A pad that keeps nothing offers neither the form nor the path.
    assert 'id="keep"' not in ask("GET", "/")[1]
    assert ask("POST", "/keep", strokes(write_word("it")))[0].status == 404


def test_a_folder_of_kept_ink_grows_and_others_are_left_alone(tmp_path):
    (tmp_path / "labels.csv").write_text("file,text\n0007.json,old")
    (tmp_path / "0008.json").write_text("an ink without a row")
    kept = KeptInk(tmp_path)
    assert len(kept) == 1
    assert kept.keep(write_word("new"), "new") == "0009.json"
    assert (tmp_path / "labels.csv").read_text() == "file,text\n0007.json,old\n0009.json,new\n"
    # Numbers of rows whose files are gone, and of files among the images, are not used again.
    (tmp_path / "0009.json").unlink()
    assert kept.keep(write_word("it"), "it") == "0010.json"
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0031.json").write_text("[]")
    assert kept.keep(write_word("it"), "it") == "0032.json"
    for unreadable in (b"file,text\n\xff", b'file,text\n0007.json,"old\n0009.json,new\n'):
        (tmp_path / "labels.csv").write_bytes(unreadable)
        with pytest.raises(InkError, match=r"labels\.csv: cannot be read"):
            kept.keep(write_word("it"), "it")
        assert (tmp_path / "labels.csv").read_bytes() == unreadable
    (tmp_path / "labels.csv").write_text("name,file,text\n")
    with pytest.raises(InkError, match=r"labels\.csv:1: ink is kept in columns file,text"):
        KeptInk(tmp_path)


def test_a_browser_that_goes_away_is_no_error(server, ask, monkeypatch, capsys):
    begun, gone = threading.Event(), threading.Event()

    def slow(*_):
        begun.set()
        assert gone.wait(60)
        return {"html": "a" * 10_000_000}

    with monkeypatch.context() as patch:
        patch.setattr("demos.words.pad.server.answer", slow)
        host = f"127.0.0.1:{server.server_port}"
        with socket.create_connection(("127.0.0.1", server.server_port)) as one:
            # Closed without notice, as by a browser that is killed.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.sendall(
                f"POST /read HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode()
            )
            assert begun.wait(60)
        gone.set()
        with server.turn:  # the request has been answered
            pass
        assert ask("GET", "/")[0].status == 200
    assert capsys.readouterr().err == ""


def test_it_listens_on_this_machine_only(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_port}/"


def test_an_answer_without_a_server(reader):
    with pytest.raises(PadError, match="not JSON"):
        answer(reader, b"{")


def test_a_port_that_is_taken(reader, server):
    with pytest.raises(PadError, match=f"port {server.server_port}: Address already in use"):
        PadServer(reader, server.server_port)
