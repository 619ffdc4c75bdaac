"""Published weights: the disk first, one short attempt at the network, and a next step that works."""

import _socket
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import safetensors.torch
import torch
from huggingface_hub import constants
from timm.models import get_pretrained_cfg

from clf_cli.errors import ModelError, UsageError
from clf_cli.models.build import build_network, initial_network
from clf_cli.models.pretrained import fetch_pretrained, find_cached, published_at, why_unreachable
from clf_cli.settings.sections import ModelSection

HUB, URL_ONLY, UNPUBLISHED = "test_resnet", "gcvit_xxtiny", "convnextv2_small"


@pytest.fixture
def empty_caches(tmp_path, monkeypatch):
    """No cached file anywhere, and nobody's settings of the hub's client."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def attempts(monkeypatch, empty_caches):
    """Addresses that connections were tried to; every attempt fails."""
    tried: list[tuple[str, int]] = []

    def refuse(address, timeout=None, source_address=None):
        assert timeout is not None
        assert timeout <= 3
        tried.append(address)
        raise OSError("blocked")

    monkeypatch.setattr(socket, "create_connection", refuse)
    return tried


def start(arch: str, classes: int = 3):
    return initial_network(ModelSection(arch=arch), classes, 32)


@pytest.mark.parametrize(("arch", "host"), [(HUB, "huggingface.co"), (URL_ONLY, "github.com")])
def test_without_a_network_one_attempt_and_an_error_that_says_what_to_do(attempts, arch, host):
    began = time.monotonic()
    with pytest.raises(ModelError, match=f"{arch} are not on this machine and {host} cannot be reached") as caught:
        start(arch)

    place = published_at(get_pretrained_cfg(arch))
    assert attempts == [(host, 443)]
    assert time.monotonic() - began < 3
    assert caught.value.exit_code == 4
    assert all(part in caught.value.hint for part in ("--weights", "--no-pretrained", place.url, str(place.place)))


def test_offline_mode_makes_no_attempt(attempts, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE"):
        start(HUB)
    assert attempts == []


def test_a_file_put_where_the_error_says_is_found_without_a_network(attempts):
    state = build_network(HUB, 1000).state_dict()
    place = published_at(get_pretrained_cfg(HUB)).place
    place.parent.mkdir(parents=True)
    safetensors.torch.save_file(state, place)

    network, note = start(HUB)

    assert attempts == []
    assert torch.equal(network.state_dict()["conv1.0.weight"], state["conv1.0.weight"])
    assert network.state_dict()["fc.weight"].shape[0] == 3
    assert f"{HUB}." in note
    assert "the head is new (it had 1000 classes)" in note


def test_the_hubs_own_cache_layout_is_found(empty_caches):
    cfg = get_pretrained_cfg(HUB)
    repo = Path(constants.HF_HUB_CACHE, f"models--{cfg.hf_hub_id.replace('/', '--')}")
    file = repo / "snapshots" / "abc123" / "pytorch_model.bin"
    file.parent.mkdir(parents=True)
    file.touch()
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc123")

    assert find_cached(cfg) == file


def test_torchs_cache_is_found_for_weights_that_only_have_an_address(empty_caches):
    cfg = get_pretrained_cfg(URL_ONLY)
    place = published_at(cfg).place
    place.parent.mkdir(parents=True)
    place.touch()

    assert find_cached(cfg) == fetch_pretrained(URL_ONLY, cfg) == place


def test_a_damaged_cached_file_is_named(attempts):
    place = published_at(get_pretrained_cfg(HUB)).place
    place.parent.mkdir(parents=True)
    place.write_bytes(b"\x10\0\0\0\0\0\0\0{broken")

    with pytest.raises(ModelError, match=r"model\.safetensors cannot be used") as caught:
        start(HUB)
    assert "delete it" in caught.value.hint


def test_an_architecture_without_published_weights_is_a_usage_error(attempts):
    with pytest.raises(UsageError, match=UNPUBLISHED) as caught:
        start(UNPUBLISHED)
    assert caught.value.exit_code == 2
    assert "--no-pretrained" in caught.value.hint
    assert attempts == []


def test_a_name_lookup_that_hangs_does_not_hang_us(empty_caches, monkeypatch):
    release = threading.Event()

    def hang(*arguments, **options):
        release.wait(20)
        raise OSError("released")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    try:
        assert why_unreachable("https://weights.example/file", seconds=0.1) == "no answer in 0.1 s"
        assert time.monotonic() - began < 10
    finally:
        release.set()


def test_a_host_that_answers_is_reachable_even_with_an_error(empty_caches, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", _socket.socket.connect)  # the server is this very process

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(404)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer = why_unreachable(f"http://127.0.0.1:{server.server_port}/weights")
        server.shutdown()

    assert answer is None
