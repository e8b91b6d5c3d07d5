"""The reference that `make docs` writes."""

import re
import subprocess
import sys

from support.paths import ROOT


def test_every_method_is_in_it_with_its_comment_and_policy(tmp_path):
    subprocess.run([sys.executable, ROOT / "scripts" / "reference", tmp_path], check=True)
    written = "\n".join(page.read_text() for page in tmp_path.glob("*.md"))
    count = 0
    for proto in sorted((ROOT / "Protos" / "octet").rglob("*_service.proto")):
        text = proto.read_text()
        service = re.search(r"^service (\w+)", text, re.M).group(1)
        for method in re.findall(r"^  rpc (\w+)", text, re.M):
            section = written.split(f"### {service}.{method}\n")[1].split("\n### ")[0]
            assert re.search(r"^[A-Z].*\.", section, re.M), method
            assert "\nPolicy: access `ACCESS_" in section, method
            count += 1
    assert count > 20
    assert "| `WRONG_PIN` | PERMISSION_DENIED |" in written
    index = (tmp_path / "README.md").read_text()
    assert all((tmp_path / page).exists() for page in re.findall(r"\]\((.*?)\)", index))
