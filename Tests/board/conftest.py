"""One octetd-board on each engine, which all tests of a module share."""

import pytest
from support.board import PROGRAM
from support.notices import FLAGS
from support.pictures import picture as make_picture
from support.postgres import ENGINES, database_flags
from support.server import Server


@pytest.fixture(scope="module", params=ENGINES)
def board(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with Server(folder, *FLAGS, *database_flags(request), program=PROGRAM) as server:
        yield server


@pytest.fixture
def picture(tmp_path):
    return make_picture(tmp_path, "320x240")
