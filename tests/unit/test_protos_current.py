"""The committed gRPC code is what the .proto files make."""

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
COMPILER = ROOT / ".venv-protos" / "locked"


def test_no_proto_file_changed_since_the_code_was_made() -> None:
    lines = (PROTOS / "arcana_protos" / "sources.sha256").read_text().splitlines()
    recorded = {name: digest for digest, name in (line.split("  ") for line in lines)}
    names = [*(f"arcana/{p.name}" for p in PROTOS.glob("arcana/*")), "../requirements-protos.lock"]
    now = {name: hashlib.sha256((PROTOS / name).read_bytes()).hexdigest() for name in names}
    assert recorded == now, "run 'make protos'"


@pytest.mark.timeout(300)
def test_the_sources_make_the_committed_code_byte_for_byte() -> None:
    command = [sys.executable, str(PROTOS / "generate.py"), "--check"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode and not COMPILER.exists() and not os.environ.get("CI"):
        pytest.skip("the compiler cannot be installed here; with CI set this is a failure")
    assert made.returncode == 0, made.stdout + made.stderr


def test_the_seed_kept_its_names_and_numbers() -> None:
    files = FileDescriptorSet.FromString((PROTOS / "arcana_protos/descriptors.binpb").read_bytes())
    (user,) = (file for file in files.file if file.package == "arcana.user")
    fields = {m.name: {f.name: f.number for f in m.field} for m in user.message_type}
    seed = {
        "GetUserRequest": {"id": 1},
        "ListUsersRequest": {"page": 1, "size": 2, "status": 3},
        "ListUsersResponse": {"users": 1, "total": 2, "page": 3, "size": 4},
        "CreateUserRequest": {"name": 1, "email": 2, "password": 3},
        "UpdateUserRequest": {"id": 1, "name": 2, "email": 3},
        "DeleteUserRequest": {"id": 1},
        "UserResponse": {
            "id": 1,
            "name": 2,
            "email": 3,
            "status": 4,
            "created_at": 5,
            "updated_at": 6,
        },
    }
    assert all(seed[name].items() <= fields[name].items() for name in seed)


def test_the_package_has_the_version_of_the_service() -> None:
    ours, theirs = (
        tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
        for folder in (PROTOS, ROOT)
    )
    assert ours == theirs
