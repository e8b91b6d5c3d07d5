"""The planned load of each domain's page, asked of a real octetd."""

import pytest
from support import stubs
from support.people import Stranger

K, M, G, T = 10**3, 10**6, 10**9, 10**12
THREE_YEARS = 3 * 365
MINUTE = {"seconds": 60}
# What a page says of its load, and the figures that it has for that.
PAGES = {
    "platform": (
        {"actors": 300 * M, "actions_per_actor": 10, "bytes_per_write": 300, "days_kept": 90},
        {"writes_per_day": "3000000000", "writes_per_second": "34722", "bytes_per_day": 900 * G, "bytes_kept": 81 * T},
    ),
    "pay": (
        {"actors": 20 * M, "actions_per_actor": 5, "reads_per_write": 100, "bytes_per_write": K, "days_kept": THREE_YEARS},
        {"writes_per_second": "1157", "reads_per_second": "115741", "bytes_per_day": 100 * G, "bytes_kept": 109_500 * G},
    ),
    "rides": (
        {"actors": 10 * M, "actions_per_actor": 2, "reads_per_write": 100, "bytes_per_write": K, "days_kept": THREE_YEARS},
        {"writes_per_second": "231", "reads_per_second": "23148", "bytes_per_day": 20 * G, "bytes_kept": 21_900 * G},
    ),
    "rides, positions": ({"actors": M, "period": {"seconds": 4}}, {"writes_per_second": "250000"}),
    "stays": (
        {"actors": 100 * M, "actions_per_actor": 2, "reads_per_write": 100},
        {"writes_per_second": "2315", "reads_per_second": "231481"},
    ),
    "stays, listings": (
        {"actors": 2 * M, "bytes_per_write": 5 * K, "days_kept": THREE_YEARS},
        {"writes_per_second": "23", "bytes_per_day": 10 * G, "bytes_kept": 10_950 * G},
    ),
    "video": (
        {"actors": 800 * K, "actions_per_actor": 4, "bytes_per_write": 4 * M, "days_kept": 5 * 365},
        {"writes_per_second": "37", "bytes_per_day": 12_800 * G, "bytes_kept": 23_360 * T},
    ),
    "shop": (
        {"actors": 300 * M, "actions_per_actor": 2, "reads_per_write": 100, "bytes_per_write": K, "days_kept": THREE_YEARS},
        {"writes_per_second": "6944", "reads_per_second": "694444", "bytes_per_day": 600 * G, "bytes_kept": 657 * T},
    ),
    "shop, listings": (
        {"actors": 6 * M, "bytes_per_write": K, "days_kept": THREE_YEARS},
        {"writes_per_second": "69", "bytes_per_day": 6 * G, "bytes_kept": 6_570 * G},
    ),
    "deals": (
        {"actors": 10 * M, "actions_per_actor": 5, "actions_read": True, "reads_per_write": 50, "decimals": 1,
         "bytes_per_write": 10 * K, "days_kept": THREE_YEARS},
        {"writes_per_second": "11.6", "reads_per_second": "578.7", "bytes_per_day": 10 * G, "bytes_kept": 10_950 * G},
    ),
    "contests": (
        {"actors": 100, "actions_per_actor": K, "bytes_per_write": 5 * M, "days_kept": THREE_YEARS, "decimals": 2,
         "peak_factor": 100},
        {"writes_per_second": "1.16", "peak_writes_per_second": "115.74", "bytes_per_day": 500 * G,
         "bytes_kept": 547_500 * G},
    ),
    "rail, record": ({"actors": 31_814, "period": MINUTE}, {"writes_per_second": "530"}),
    "rail, tickets": ({"actors": 150 * K, "period": MINUTE}, {"writes_per_second": "2500"}),
    "rail, enquiries": (
        {"actors": 4 * M, "period": MINUTE, "actions_read": True, "reads_per_write": 1},
        {"writes_per_second": "66667", "reads_per_second": "66667"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_acceptance_16_the_inputs_of_each_planned_load_give_its_figures(server, page):
    inputs, figures = PAGES[page]
    with server.channel() as channel:
        load = stubs.module("octet.admin.v1.capacity_pb2").EstimateCapacityRequest(**inputs)
        answer = Stranger(channel).call("octet.admin.v1.AdminService/EstimateCapacity", load)
    assert {name: getattr(answer, name) for name in figures} == figures
