"""What starts a run on several machines: the files of deploy/, as far as one machine shows it."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.sources import ROOT
from tests.workflows.makers import MAKERS
from tests.workflows.test_many import assert_alike, free_port, one

DEPLOY = ROOT / "deploy"
BRIDGE = "hbbridge"
NODES = {"hbnode0": "10.77.23.1", "hbnode1": "10.77.23.2"}


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_bash_and_can_be_started(path):
    subprocess.run(["bash", "-n", path], check=True)
    assert os.access(path, os.X_OK) or path.name == "slurm.sh"


def commands(name):
    """What a file of a service runs, by the shell."""
    documents = list(yaml.safe_load_all((DEPLOY / name).read_text("utf-8")))
    if name == "kubernetes.yaml":
        _, job = documents
        (container,) = job["spec"]["template"]["spec"]["containers"]
        given = {one["name"]: one["value"] for one in container["env"]}
        assert job["spec"]["completions"] == int(given["MACHINES"])
        return container["args"][0], {**given, "JOB_COMPLETION_INDEX": "1"}
    (document,) = documents
    if name == "skypilot.yaml":
        return document["run"], {
            "SKYPILOT_NUM_NODES": "2", "SKYPILOT_NODE_RANK": "1",
            "SKYPILOT_NUM_GPUS_PER_NODE": "8", "SKYPILOT_NODE_IPS": "first\nsecond",
        }  # fmt: skip
    assert document["nodes"] == 2
    return "\n".join(document["commands"][1:]), {
        "DSTACK_NODES_NUM": "2", "DSTACK_NODE_RANK": "1", "DSTACK_GPUS_PER_NODE": "8",
        "DSTACK_MASTER_NODE_IP": "first",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["kubernetes.yaml", "skypilot.yaml", "dstack.dstack.yml"])
def test_a_service_starts_each_machines_part(name, tmp_path):
    """The launcher is called as it must be for the second of two machines of eight."""
    launcher = tmp_path / "launcher"
    launcher.write_text('#!/bin/sh\necho "$@"\n')
    launcher.chmod(0o755)
    command, given = commands(name)
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=ROOT,
        env={**os.environ, **given, "TORCHRUN": str(launcher)},
        capture_output=True,
        text=True,
        check=True,
    )
    head = "hornbook-0.hornbook" if name == "kubernetes.yaml" else "first"
    assert done.stdout.split() == [
        *["--nnodes", "2", "--node-rank", "1", "--nproc-per-node", "8", "--master-addr"], head,
        *["--master-port", "29500", "-m", "hornbook", "pretrain", "--out", "/shared/run"],
        *["--corpus", "/shared/corpus", "--tokens", "20000000000"],
    ]  # fmt: skip


@pytest.fixture
def machines():
    """Two network namespaces with an address each, joined by a bridge."""
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs the right to make network namespaces")

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    try:
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("link", "set", BRIDGE, "up")
        for name, address in NODES.items():
            ip("netns", "add", name)
            ip("link", "add", f"{name}v", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"{name}v", "master", BRIDGE, "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr!r}")
    else:
        yield NODES
    finally:
        for name in NODES:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", BRIDGE], check=False, capture_output=True)


@pytest.mark.slow
def test_two_machines_train_one_model(machines, tmp_path):
    """`ssh` is a script that enters the namespace of an address."""
    data, values = MAKERS["text"](tmp_path)
    one("text", data, {**values, "plan": {**values["plan"], "micro_rows": 4}}, tmp_path / "one")
    ssh = tmp_path / "ssh"
    cases = "".join(f"{address}) name={name};;\n" for name, address in machines.items())
    ssh.write_text(f'#!/bin/bash\ncase $1 in\n{cases}esac\nip netns exec $name bash -c "$2"\n')
    ssh.chmod(0o755)
    launcher = tmp_path / "torchrun"
    launcher.write_text(f'#!/bin/bash\nexec {sys.executable} -m torch.distributed.run "$@"\n')
    launcher.chmod(0o755)
    plan = values["plan"]
    sizes = {"vocab-size": plan["vocab"], **{k: plan[k] for k in ("depth", "width", "heads")}}
    sizes |= {"context": plan["context"], "rows": plan["rows"], "micro-rows": 4}
    options = [f"--{name}={size}" for name, size in sizes.items()]
    given = {
        "HOSTS": " ".join(machines.values()), "RUN": str(tmp_path / "two"), "PROCESSES": "1",
        "PORT": str(free_port()), "SSH": str(ssh), "TORCHRUN": str(launcher),
        "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "eth0",
    }  # fmt: skip
    subprocess.run(
        [
            "deploy/ssh.sh", "--corpus", data["corpus"], f"--tokens={values['tokens']}",
            "--no-compile", "--dtype=float32", *options,
        ],
        cwd=ROOT, env={**os.environ, **given}, check=True, timeout=120,
    )  # fmt: skip
    result = json.loads((tmp_path / "two" / "result.json").read_text())
    assert result["processes"] == 2
    assert_alike(tmp_path / "two", tmp_path / "one")
