"""The loaders of a run: in this process and its workers, or from images that live on the GPU."""

from clf_cli.data.device_images import device_loaders
from clf_cli.data.knobs import Augment
from clf_cli.data.loaders import ImageLoader, Loading, ResumableLoader, eval_loader, train_loader
from clf_cli.engine.sampler import draws_evenly
from clf_cli.models.compute import available_cores
from clf_cli.training.image_cache import gpu_bytes, gpu_free, image_bytes, lives_on_gpu, megabytes, resolve_cache
from clf_cli.training.start import Start
from clf_cli.values.predictions import EVAL_BATCH


def image_loaders(start: Start, augment: Augment, validates: bool) -> tuple[ResumableLoader, ImageLoader | None, str]:
    """Of train and, where the run validates, of val; and a line on where images are kept, empty where that was asked.

    Raises RunError (exit 6) where they do not fit.
    """
    settings, dataset, device = start.settings, start.dataset, start.compute.device
    seed, even, asked = settings.compute.seed, draws_evenly(settings.optim), settings.compute.cache
    size = settings.optim.images_per_batch
    if device.startswith("cuda"):
        needed = gpu_bytes(dataset, start.preprocess, augment, validates)
        if lives_on_gpu(asked, device, augment, needed, gpu_free(device)):
            told = f"--cache auto: gpu, {megabytes(needed)} of images." if asked == "auto" else ""
            split = (dataset, start.preprocess, augment, seed)
            there = device_loaders(split, (size, even), device, available_cores())
            return there[0], there[1] if validates else None, told
    needed = image_bytes(dataset, start.preprocess, augment, validates)
    cache, told = resolve_cache(asked, needed, start.compute.workers)
    pin, patience = device.startswith("cuda"), settings.compute.worker_timeout
    workers, readers = start.compute.workers, start.compute.threads  # of the math, which waits for a batch
    loading = Loading(size, workers, pin, cache, readers, timeout=patience)
    val_loading = Loading(EVAL_BATCH, workers, pin, cache, readers, timeout=patience)
    train = train_loader(dataset, start.preprocess, augment, loading, seed, even)
    labels = dataset.labels
    val = eval_loader(dataset, "val", start.preprocess, labels, val_loading) if validates else None
    return train, val, told
