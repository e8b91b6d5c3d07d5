"""What is made of photos, against Pillow: turned as their EXIF says, and without where they were taken."""

import io

import pytest
from PIL import ExifTags, Image, ImageChops, ImageOps, ImageStat
from support.media import Uploader, blobs
from support.people import request_id

WIDTH, HEIGHT, SIDE = 320, 240, 160
# How far apart the means of two pictures may be that differ by two scalers and a lossy format, of 255. Another turn makes it
# many times that.
CLOSE = 6


def photo(file_format, orientation):
    """A picture each corner of which has a colour of its own, with a place and an orientation."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    for left, top, colour in ((0, 0, "red"), (1, 0, "green"), (0, 1, "blue"), (1, 1, "white")):
        picture.paste(colour, (left * WIDTH // 2, top * HEIGHT // 2, (left + 1) * WIDTH // 2, (top + 1) * HEIGHT // 2))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Camera of Ada"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (60.0, 10.0, 0.0)})
    content = io.BytesIO()
    picture.save(content, file_format, exif=exif, **({"lossless": True} if file_format == "WEBP" else {}))
    return content.getvalue()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_shown_as_its_camera_was_held_and_tells_no_place(server, file_format):
    with server.channel() as channel:
        uploader = Uploader(channel, f"user_{request_id()[:8]}")
        wrong = []
        for orientation in range(1, 9):
            original = photo(file_format, orientation)
            assert Image.open(io.BytesIO(original)).getexif().get_ifd(ExifTags.IFD.GPSInfo)
            blob = uploader.watch(uploader.send(original, blobs.BLOB_KIND_IMAGE))
            assert blob.state == blobs.BLOB_STATE_READY, blob.failure
            shown = ImageOps.exif_transpose(Image.open(io.BytesIO(original))).convert("RGB")
            made = uploader.read(blob.id, f"w{SIDE}")
            rendition = Image.open(io.BytesIO(made))
            assert not rendition.getexif() and b"EXIF" not in made and b"Camera" not in made
            if (blob.width_px, blob.height_px) != shown.size:
                wrong.append((orientation, blob.width_px, blob.height_px))
                continue
            difference = ImageChops.difference(rendition.convert("RGB"), shown.resize(rendition.size, Image.LANCZOS))
            if max(ImageStat.Stat(difference).mean) > CLOSE:
                wrong.append((orientation, ImageStat.Stat(difference).mean))
        assert wrong == []
