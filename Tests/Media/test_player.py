"""A film goes through a real octetd: uploaded, probed, made fit for showing, and played by a browser from signed URLs."""

import contextlib
import pathlib
import subprocess
import urllib.parse

import pytest
from support.browser import DEADLINE_SECONDS, Site, browser
from support.curl import curl
from support.media import Uploader, blobs

PAGE = pathlib.Path(__file__).with_name("player.html")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=15:duration=5"]
    command += ["-f", "lavfi", "-i", "sine=frequency=440:duration=5", "-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run([*command, "-c:a", "aac", path], check=True)
    return path.read_bytes()


@pytest.fixture(scope="module")
def uploaded(server, film):
    """The uploader, and the blob once all is made of it."""
    uploader = Uploader(server.channel(), "film_maker")
    blob_id = uploader.send(film, blobs.BLOB_KIND_VIDEO)
    blob = uploader.watch(blob_id)
    assert blob.state == blobs.BLOB_STATE_READY, blob.failure
    return uploader, blob


@pytest.mark.parametrize("http", ["1.1", "2"])
def test_a_browser_plays_it(server, uploaded, tmp_path, http):
    uploader, blob = uploaded
    base = f"http://{server.address}" if http == "1.1" else f"https://{server.tls_address}"
    names = {"mp4": "480p.mp4", "hls": "hls.m3u8", "poster": "poster"}
    query = urllib.parse.urlencode({key: base + uploader.sign(blob.id, name) for key, name in names.items()})
    with contextlib.closing(Site(PAGE)) as site:
        with browser(f"http://127.0.0.1:{site.port}/{PAGE.name}?{query}", tmp_path):
            outcomes = site.reports.get(timeout=2 * DEADLINE_SECONDS)
    protocol = "http/1.1" if http == "1.1" else "h2"
    assert outcomes == {"mp4": "640x360", "hls": "426x240", "poster": "640x360", "protocol": protocol}


@pytest.mark.parametrize("http", ["1.1", "2"])
def test_ranges_heads_and_caches(server, uploaded, film, http):
    uploader, blob = uploaded
    flags = () if http == "1.1" else ("--http2-prior-knowledge",)
    url = f"http://{server.address}" + uploader.sign(blob.id)

    def get(*arguments):
        answer = curl(url, *flags, *arguments)
        assert answer.version == http
        return answer

    whole = get()
    assert (whole.status, whole.body) == (200, film)
    assert whole.headers["content-type"] == "video/mp4" and whole.headers["accept-ranges"] == "bytes"
    tag = whole.headers["etag"]
    part = get("-r", "1000-1999")
    assert (part.status, part.body) == (206, film[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(film)}"
    assert get("-r", "-10").body == film[-10:]
    assert get("-r", f"{len(film)}-").status == 416
    # curl would wait for a body if it got one.
    head = get("--head")
    assert head.status == 200 and head.headers["content-length"] == str(len(film))
    assert get("-H", f"if-none-match: {tag}").status == 304
    assert get("-X", "POST").status == 405
    changed = url.replace("/media/A", "/media/B", 1)
    assert changed != url and curl(changed, *flags).status == 404
