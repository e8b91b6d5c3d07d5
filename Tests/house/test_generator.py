"""What protoc-gen-octet refuses to make code of."""

import pathlib
import subprocess

import pytest

from support.paths import ROOT

PROTO = """
syntax = "proto3";
package judged.v1;
import "octet/options/v1/options.proto";
service Judge {{
  // Judges.
  rpc Judge({stream}JudgeRequest) returns (JudgeReply) {{
    option (octet.options.v1.policy) = {{ access: {access} {roles} resource_field: "{field}" }};
  }}
}}
message JudgeRequest {{
  string shop_id = 1 [(octet.options.v1.rules) = {{ required: true id_kind: "shop" }}];
  string name = 2;
  repeated string shop_ids = 3 [(octet.options.v1.rules) = {{ required: true id_kind: "shop" }}];
  int64 number = 4;
}}
message JudgeReply {{}}
"""
GOOD = {"stream": "", "access": "ACCESS_ROLE", "roles": 'roles: "shop.clerk"', "field": "shop_id"}
METHOD = "judged.v1.Judge.Judge: "
WRONG_KIND = METHOD + "resource_field is for a method of one request, with ACCESS_ROLE and the roles to hold there"


def generate(folder, **changes):
    (folder / "judged/v1").mkdir(parents=True)
    (folder / "judged/v1/judge.proto").write_text(PROTO.format(**GOOD | changes))
    command = [ROOT / "scripts/octet-protoc", f"--proto_path={folder}", "--module=JudgedAPI", f"--out={folder / 'out'}",
               f"--plugin={ROOT / '.build/debug/protoc-gen-octet'}", "judged/v1/judge.proto"]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True)


def test_a_resource_that_can_be_judged_is_registered(tmp_path):
    done = generate(tmp_path)
    assert done.returncode == 0, done.stderr
    code = "".join(path.read_text() for path in (tmp_path / "out/JudgedAPI").rglob("*.swift"))
    assert 'resourceField: "shop_id"' in code
    assert "about:" in code


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"access": "ACCESS_USER", "roles": ""}, WRONG_KIND),
        ({"roles": ""}, WRONG_KIND),
        ({"stream": "stream "}, WRONG_KIND),
        ({"field": "nothing"}, METHOD + "nothing is no required string of the request with an id_kind"),
        ({"field": "name"}, METHOD + "name is no required string of the request with an id_kind"),
        ({"field": "shop_ids"}, METHOD + "shop_ids is no required string of the request with an id_kind"),
        ({"field": "number"}, METHOD + "number is no required string of the request with an id_kind"),
    ],
)
def test_a_resource_that_nobody_could_judge_is_refused(tmp_path, changes, said):
    done = generate(tmp_path, **changes)
    assert done.returncode != 0
    assert said in done.stderr
    assert not (tmp_path / "out").exists()
