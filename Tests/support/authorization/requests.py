"""What requests of the table's methods take that are about nothing of anybody's."""

import string

from ..people import request_id
from ..rides import OPERA, STATION, demo_city, place

FAR_SECONDS = 4_000_000_000


class Requests:
    """Mixed into the world."""

    def way(self):
        return {"stops": [place(STATION), place(OPERA)]}

    def city(self):
        return demo_city(self.callers["nobody"])

    def vehicle(self):
        return {"plate": request_id()[:8], "category": "comfort", "seats": 4, "model": "Saab 900"}

    def fare_table(self):
        """One of a category of its own, so that it overlaps with none."""
        number = next(self._numbers)
        name = "".join(string.ascii_lowercase[number // 26**power % 26] for power in range(3))
        return {"table": {"city_id": self.city(), "category": name, "title": "Test", "seats": 4, "base_minor": 1,
                          "valid_from": {"seconds": FAR_SECONDS}, "slabs": [{"per_km_minor": 1}]}}  # fmt: skip

    def zone(self):
        corners = [place(point) for point in ((60.2, 24.9), (60.2, 24.91), (60.21, 24.9))]
        return {"city_id": self.city(), "kind": "ZONE_KIND_SERVICE", "name": "Test", "corners": corners}

    def channels_etag(self):
        return self.call("stranger", "octet.notify.v1.NotificationService/GetChannels").etag

    def language(self):
        """One of those that are kept for private use, and another each time."""
        first, second = divmod(next(self._numbers), 26)
        return f"q{string.ascii_lowercase[first % 20]}{string.ascii_lowercase[second]}"

    def template(self):
        return {"kind": "chat.message", "text": {"language": self.language(), "title": "News"}}

    def word_list(self):
        return {"list": {"language": self.language(), "words": []}}

    def flag(self):
        """The switch of a method that nobody else of the tests uses, put as it was."""
        name = "octet.admin.v1.AdminService/EstimateCapacity"
        flags = self.call("ops", "octet.admin.v1.AdminService/ListFlags", prefix=name).flags
        return {"name": name, "etag": flags[0].etag, "value": {"boolean": True}}

    def table_row(self):
        return {"table": "admin.node_rates", "key": f"k{next(self._numbers)}"}
