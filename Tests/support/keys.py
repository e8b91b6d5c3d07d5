"""Keys of devices and machines."""

import pathlib
import subprocess


class SigningKey:
    """An Ed25519 key in a folder of its own; key and signatures are openssl's."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self._openssl("genpkey", "-algorithm", "ed25519", "-out", "key.pem")
        # The last 32 bytes of the DER form are the key (RFC 8410).
        self.public = self._openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER")[-32:]

    def sign(self, text):
        (self._folder / "text").write_text(text)
        return self._openssl("pkeyutl", "-sign", "-rawin", "-inkey", "key.pem", "-in", "text")

    def _openssl(self, *arguments):
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self._folder).stdout
