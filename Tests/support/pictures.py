"""Pictures and films to upload."""

import struct
import subprocess
import zlib


def generated(folder, name, *arguments):
    """What ffmpeg makes of one of its own sources."""
    path = folder / name
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", *arguments, path], check=True)
    return path.read_bytes()


def picture(folder, size):
    """A PNG of so many pixels, `320x240` say."""
    return generated(folder, "picture.png", "-i", f"testsrc2=size={size}", "-frames:v", "1")


def _png(width, height, content):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


def png(rng):
    """A small picture that nobody else has."""
    width, height = rng.randrange(20, 200), rng.randrange(20, 60)
    return _png(width, height, b"".join(b"\0" + rng.randbytes(3 * width) for _ in range(height)))


def png_head(width, height):
    """A PNG that says how large it is, and has next to nothing else."""
    return _png(width, height, b"\0" * 100)
