"""Logging in, staying logged in, logging out."""

import concurrent.futures
import stat

import pytest
from client import Octet, Watching
from zoo import Zoo


@pytest.fixture
def octet(tmp_path):
    return lambda zoo, *flags: Octet(tmp_path, zoo.address, "--plaintext", *flags)


def authorization(result):
    assert result.code == 0, result.error
    return result.json()["metadata"].get("authorization")


def log_in(octet):
    result = octet("login", "ada", stdin="correct horse\n")
    assert result.code == 0 and "logged in as Ada" in result.error
    return result


def test_calls_carry_the_token_after_login_and_not_after_logout(octet, tmp_path):
    with Zoo() as zoo:
        run = octet(zoo)
        assert authorization(run("call", "AnimalService/Inspect")) is None
        log_in(run)
        assert authorization(run("call", "AnimalService/Inspect")) == "Bearer access-1"
        assert authorization(run("call", "AnimalService/Inspect", "-H", "authorization: mine")) == "mine"
        assert run("logout").code == 0
        assert not zoo.sessions.live
        assert authorization(run("call", "AnimalService/Inspect")) is None
        assert list((tmp_path / "config").iterdir()) == []


def test_profile_is_its_owners_alone(octet, tmp_path):
    with Zoo() as zoo:
        log_in(octet(zoo, "--profile", "work"))
        folder = tmp_path / "config"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [file.name for file in folder.iterdir()] == ["work.profile"]
        assert stat.S_IMODE((folder / "work.profile").stat().st_mode) == 0o600
        assert authorization(octet(zoo)("call", "AnimalService/Inspect")) is None


def test_name_is_asked_for_and_wrong_passwords_are_told(octet):
    with Zoo() as zoo:
        assert octet(zoo)("login", stdin="ada\ncorrect horse\n").code == 0
        result = octet(zoo)("login", "ada", stdin="wrong\n")
        assert result.code == 16 and "reason: WRONG_CREDENTIALS" in result.error
        assert octet(zoo)("login", "ada", stdin="").code == 74


def test_tokens_about_to_end_are_renewed_and_kept(octet):
    with Zoo(lifetime=1) as zoo:
        run = octet(zoo)
        log_in(run)
        assert authorization(run("call", "AnimalService/Inspect")) == "Bearer access-2"
        assert authorization(run("call", "AnimalService/Inspect")) == "Bearer access-3"
        assert [token for _, token in zoo.sessions.refreshes] == ["refresh-1", "refresh-2"]


def test_a_refresh_whose_answer_was_lost_is_repeated_with_its_request_id(octet, tmp_path):
    with Zoo(lifetime=1) as zoo:
        run = octet(zoo)
        log_in(run)
        profile = tmp_path / "config" / "default.profile"
        before = profile.read_text()
        assert authorization(run("call", "AnimalService/Inspect")) == "Bearer access-2"
        profile.write_text(before)
        assert authorization(run("call", "AnimalService/Inspect")) == "Bearer access-2"
        assert zoo.sessions.refreshes[0] == zoo.sessions.refreshes[1]


def test_runs_at_once_do_not_spend_a_token_twice(octet):
    with Zoo(lifetime=1) as zoo:
        run = octet(zoo)
        log_in(run)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: run("call", "AnimalService/Inspect"), range(8)))
        assert all(result.code == 0 for result in results)
        assert zoo.sessions.live


def test_who_must_step_up_is_told_how(octet):
    with Zoo() as zoo:
        run = octet(zoo)
        log_in(run)
        refused = run("animals", "feed", "lion")
        assert refused.code == 9 and "reason: STEP_UP_REQUIRED" in refused.error
        assert "what helps: octet identity step-up" in refused.error
        assert run("identity", "step-up", stdin="wrong\n").code == 16
        assert run("identity", "step-up", "--password", "-", stdin="correct horse\n").code == 0
        zoo.sessions.proved = False
        assert run("identity", "step-up", stdin="correct horse\n").code == 0
        assert run("animals", "feed", "lion").code == 0


def test_a_terminal_is_asked_for_the_password_and_puzzles_are_solved(octet):
    with Zoo() as zoo:
        run = octet(zoo)
        log_in(run)
        with Watching(run, "animals", "feed", "tiger", terminal=True) as feeding:
            feeding.until("Password: ")
            feeding.press("correct horse\n")
            feeding.until('"animalId": "tiger"')
            assert feeding.end() == 0
            assert "correct horse" not in feeding.text and "solving a puzzle" in feeding.text
        # Refused twice, and the same request each time.
        assert len(zoo.animals.fed) == 3 and len(set(zoo.animals.fed)) == 1


def test_an_ended_session_asks_for_a_new_login(octet):
    with Zoo(lifetime=1) as zoo:
        run = octet(zoo)
        log_in(run)
        zoo.sessions.live = False
        result = run("call", "AnimalService/Inspect")
        assert result.code == 16 and "run octet login" in result.error


def test_tokens_go_to_the_server_that_gave_them_and_to_no_other(octet):
    with Zoo() as home, Zoo() as stranger:
        log_in(octet(home))
        assert authorization(octet(stranger)("call", "AnimalService/Inspect")) is None


def test_profile_remembers_address_and_security(octet, tmp_path):
    with Zoo() as zoo:
        log_in(octet(zoo))
        bare = Octet(tmp_path)
        assert authorization(bare("call", "AnimalService/Inspect")) == "Bearer access-1"


def test_tls_checks_the_server(tls, tmp_path):
    with Zoo(tls=tls) as zoo:
        run = Octet(tmp_path, zoo.address)
        assert run("list", "--cacert", str(tls / "ca.pem")).code == 0
        untrusted = run("list")
        assert untrusted.code == 14 and "certificate" in untrusted.error
        assert run("list", "--cacert", str(tls / "ca.pem"), "--authority", "example.com").code == 14
        assert run("list", "--insecure").code == 0
        (tmp_path / "var").mkdir()
        (tmp_path / "var" / "tls").symlink_to(tls)
        assert run("list").code == 0
        assert run("list", "--cacert", "nothing.pem").code == 74
