"""An S3 server that the tests have for themselves; gone when they are."""

from .guarded import Guarded

ACCESS_KEY = "OCTETTEST"
SECRET_KEY = "a secret/with+signs"


class S3(Guarded):
    """A context manager: SeaweedFS with the bucket `blobs`."""

    def __init__(self):
        super().__init__("seaweedfs-server")
        self.endpoint = f"http://127.0.0.1:{self.words[0]}"
        self.tls_endpoint = f"https://localhost:{self.words[1]}"
        self.authority = self.words[2]
