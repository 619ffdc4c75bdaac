"""timm's published weights: from the cache on disk without a network, else by download."""

import queue
import threading
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import huggingface_hub
import torch
from huggingface_hub import constants, errors

from clf_cli.errors import ModelError, UsageError
from clf_cli.models.timm_door import PretrainedCfg, timm

CONNECT_SECONDS = 3.0
_HUB_NAMES = ("model.safetensors", "pytorch_model.bin")  # in the order of preference


class Published(NamedTuple):
    """Where an architecture's weights are published, and where their cached copy lies."""

    url: str
    place: Path


def fetch_pretrained(arch: str, cfg: PretrainedCfg) -> Path:
    """The local file of an architecture's published weights.

    A cached copy is taken without touching the network. Else the host gets one attempt of at most 3 s before the
    download. Raises ModelError (exit 4) naming the file and where to put it, UsageError (exit 2) for an
    architecture without published weights.
    """
    if not cfg.has_weights:
        name = arch.partition(".")[0]
        tags = ", ".join(timm.list_pretrained(f"{name}.*"))
        other = f"Published: {tags}. Or start" if tags else "Start"
        raise UsageError(f"There are no published weights of {arch}.", f"{other} from random weights: --no-pretrained.")
    cached = find_cached(cfg)
    if cached is not None:
        return cached
    published = published_at(cfg)
    if constants.HF_HUB_OFFLINE:
        raise _unreachable(arch, published, "HF_HUB_OFFLINE is set")
    failure = why_unreachable(published.url)
    if failure is not None:
        raise _unreachable(arch, published, f"{urlsplit(published.url).hostname} cannot be reached ({failure})")
    try:
        return _download(cfg, published)
    except Exception as error:  # the hub's client has a zoo of errors; each means that the file is not here
        raise _unreachable(arch, published, f"the download failed: {type(error).__name__}") from error


def find_cached(cfg: PretrainedCfg) -> Path | None:
    """The cached copy, looked up without a network."""
    if cfg.hf_hub_id:
        for name in _hub_names(cfg):
            found = huggingface_hub.try_to_load_from_cache(cfg.hf_hub_id, name)
            if isinstance(found, str):
                return Path(found)
        return None
    place = published_at(cfg).place
    return place if place.is_file() else None


def published_at(cfg: PretrainedCfg) -> Published:
    """`place` is where `find_cached` looks, so that a file put there by hand is found."""
    if cfg.hf_hub_id:
        name = _hub_names(cfg)[0]
        folder = f"models--{cfg.hf_hub_id.replace('/', '--')}"
        place = Path(constants.HF_HUB_CACHE, folder, "snapshots", "main", name)
        return Published(f"{constants.ENDPOINT}/{cfg.hf_hub_id}/resolve/main/{name}", place)
    url = cfg.url if isinstance(cfg.url, str) else str((cfg.url or ("",))[0])
    return Published(url, Path(torch.hub.get_dir(), "checkpoints", Path(urlsplit(url).path).name))


def why_unreachable(url: str, seconds: float = CONNECT_SECONDS) -> str | None:
    """None when the url's host answers one request, with whatever answer; else the kind of error.

    The hub's client asks, with its proxies and certificates, but without its five retries (48 s offline). Name lookup
    and handshake count into the time.
    """
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            huggingface_hub.get_session().head(url, timeout=seconds)
            answers.put(None)
        except Exception as error:  # noqa: BLE001 - the errors of the hub's two possible clients share no other base
            answers.put(type(error).__name__)

    threading.Thread(target=ask, daemon=True).start()  # a name lookup cannot be given a time limit
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return f"no answer in {seconds:g} s"


def _hub_names(cfg: PretrainedCfg) -> tuple[str, ...]:
    return (cfg.hf_hub_filename,) if cfg.hf_hub_filename else _HUB_NAMES


def _download(cfg: PretrainedCfg, published: Published) -> Path:
    if cfg.hf_hub_id:
        names = _hub_names(cfg)
        for name in names[:-1]:
            try:
                return Path(huggingface_hub.hf_hub_download(cfg.hf_hub_id, name, etag_timeout=CONNECT_SECONDS))
            except errors.LocalEntryNotFoundError:  # no connection; the other name would fare no better
                raise
            except errors.EntryNotFoundError:
                continue
        return Path(huggingface_hub.hf_hub_download(cfg.hf_hub_id, names[-1], etag_timeout=CONNECT_SECONDS))
    published.place.parent.mkdir(parents=True, exist_ok=True)
    torch.hub.download_url_to_file(published.url, str(published.place), progress=False)
    return published.place


def _unreachable(arch: str, published: Published, reason: str) -> ModelError:
    return ModelError(
        f"The published weights of {arch} are not on this machine and {reason}.",
        f"Get {published.url} elsewhere, then give it with --weights FILE or put it at {published.place}; "
        "or start from random weights with --no-pretrained.",
    )
