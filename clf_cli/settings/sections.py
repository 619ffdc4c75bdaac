"""Every setting of clf, declared once: type, default, bounds, help and, where it is not `--key`, its flag.

A section is a TOML table, a help panel and a prefix of environment variables: `optim.lr` is `--lr` on the command line,
`CLF_OPTIM__LR` in the environment and `lr` under `[optim]` in clf.toml. Validators look at values only, never at which
fields were set: a saved settings file sets them all.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from clf_cli.settings.plain import Field
from clf_cli.settings.section import Auto, Count, Flag, Section, Share

AUTO_BATCH = 32  # images per step, unless said otherwise


class DataSection(Section):
    title: ClassVar[str] = "Data"

    root: Annotated[Path | None, Flag(("--data", "-d"), "DIR")] = Field(
        default=None, description="Folder or manifest of labelled images; nothing is ever written into it."
    )
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.2, description="Share of the images that validate, when the data bring no val split."
    )
    test_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Share of the images kept for the test, when the data bring no splits."
    )
    subset: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Train on this share of the train split, the same share of every class."
    )
    on_bad_image: Literal["error", "skip"] = Field(
        default="error", description="Unreadable images: an error (exit 3), or leave them out and count them."
    )
    on_label_conflict: Literal["error", "keep", "drop"] = Field(
        default="error", description="One image under two labels: stop, keep every row, or drop every row of it."
    )
    on_unknown_class: Literal["error", "skip"] = Field(
        default="error",
        description="Val or test images of a class that train lacks: stop, or leave them out and count them.",
    )
    scan_cache: bool = Field(
        default=True, description="Remember what reading each file showed; off reads all files again."
    )


class ModelSection(Section):
    title: ClassVar[str] = "Model"

    arch: Annotated[str, Flag(("--arch", "-a"), "NAME")] = Field(default="resnet18", description="timm architecture.")
    pretrained: bool = Field(default=True, description="Start from timm's published weights.")
    weights: Annotated[Path | None, Flag(metavar="FILE")] = Field(
        default=None,
        description="Start from this .safetensors or .pth file instead; head and input channels may differ.",
    )
    image_size: Annotated[int, Field(ge=8, le=2048)] | None = Field(
        default=None, description="Side of the square network input, in pixels. Default: the architecture's own."
    )
    resize_mode: Literal["squash", "crop", "letterbox"] = Field(
        default="squash", description="How an image fills the square: stretched, cut, or fitted with grey bars."
    )
    crop_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Share of each side that a centre cut keeps (squash and crop)."
    )
    interpolation: Literal["auto", "nearest", "bilinear", "bicubic", "lanczos"] = Field(
        default="auto", description="Resize kernel; auto takes the architecture's own."
    )
    drop_rate: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="Dropout before the classifier.")


class AugmentSection(Section):
    title: ClassVar[str] = "Augmentation"

    preset: Annotated[Literal["none", "basic", "strong", "ocr"], Flag(("--augment",))] = Field(
        default="basic",
        description="Training augmentation; ocr is for text and numbers. The knobs below change a preset.",
    )
    flip: bool | None = Field(
        default=None, description="Horizontal flips. Default: the preset's, without flips when labels are numbers."
    )
    crop_scale: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="Smallest area share of a random resized crop; 1 is off."
    )
    rotate: Annotated[float, Field(ge=0, le=180)] | None = Field(
        default=None, description="Largest rotation, in degrees."
    )
    translate: Annotated[float, Field(ge=0, le=0.5)] | None = Field(
        default=None, description="Largest shift, as a share of the side."
    )
    zoom: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="Largest change of scale: 0.1 is 0.9 to 1.1."
    )
    shear: Annotated[float, Field(ge=0, le=60)] | None = Field(default=None, description="Largest shear, in degrees.")
    perspective: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Strength of random perspective; half of the images get one."
    )
    color: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Strength of brightness, contrast and saturation changes."
    )
    blur: Share | None = Field(default=None, description="Share of images that are blurred.")
    jpeg: Share | None = Field(default=None, description="Share of images with JPEG artefacts.")
    noise: Share | None = Field(default=None, description="Share of images with Gaussian noise.")
    downscale: Share | None = Field(default=None, description="Share of images that are shrunk and enlarged again.")
    erase: Share | None = Field(default=None, description="Share of images with a random rectangle erased.")
    randaugment: Annotated[int, Field(ge=0, le=30)] | None = Field(
        default=None, description="RandAugment magnitude; 0 is off."
    )
    mixup: Annotated[float, Field(ge=0)] = Field(default=0.0, description="Mixup alpha; 0 is off.")
    cutmix: Annotated[float, Field(ge=0)] = Field(default=0.0, description="CutMix alpha; 0 is off.")


class OptimSection(Section):
    title: ClassVar[str] = "Optimisation"

    epochs: Annotated[int, Field(gt=0)] = Field(default=30, description="Passes over the train split.")
    batch_size: Annotated[Annotated[int, Field(gt=0)] | Auto, Flag(("--batch-size", "-b"))] = Field(
        default=AUTO_BATCH,
        description="Images per step. auto: what fits into memory; --accumulate makes it 32, times the one given.",
    )
    optimizer: Literal["adamw", "sgd"] = Field(default="adamw", description="Optimiser; sgd has Nesterov momentum 0.9.")
    lr: Annotated[float, Field(gt=0)] = Field(
        default=1e-3, description="Peak learning rate; a cosine takes it to zero."
    )
    weight_decay: Annotated[float, Field(ge=0)] = Field(default=0.05, description="Not applied to biases and norms.")
    clip_grad: Annotated[float, Field(ge=0)] = Field(default=1.0, description="Largest gradient norm; 0 is off.")
    loss: Literal["cross-entropy", "focal"] = Field(default="cross-entropy", description="Training loss.")
    focal_gamma: Annotated[float, Field(ge=0)] = Field(default=2.0, description="Focus of the focal loss.")
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.1, description="Training only.")
    balance: Literal["none", "loss", "sampler", "both"] = Field(
        default="none", description="Imbalance: inverse-frequency class weights, a weighted sampler, or both at once."
    )
    warmup_epochs: Annotated[float, Field(ge=0)] | Auto = Field(
        default="auto", description="Linear warm-up. auto: one epoch, at most a tenth of the steps."
    )
    head_lr_scale: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="Learning rate of the head over the rest."
    )
    freeze_epochs: Count = Field(default=0, description="Epochs at the start in which only the head learns.")
    accumulate: Annotated[int, Field(gt=0)] = Field(default=1, description="Batches per optimiser step.")

    @property
    def images_per_batch(self) -> int:
        """`batch_size`; before `auto` has become a number, the most that it may be: the whole effective batch."""
        return AUTO_BATCH * self.accumulate if self.batch_size == "auto" else self.batch_size


class EmaSection(Section):
    title: ClassVar[str] = "Moving average of the weights"

    enabled: Annotated[bool, Flag(("--ema/--no-ema",))] = Field(
        default=True, description="Average the weights; validation, test, best and export use the average."
    )
    decay: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.9999, description="Highest decay; it ramps up as (1 + n) / (10 + n)."
    )
    warmup_steps: Count = Field(default=0, description="Steps in which the average just follows the weights.")


class TrainSection(Section):
    title: ClassVar[str] = "Run"

    out: Annotated[Path, Flag(("--out", "-o"), "DIR")] = Field(
        default=Path("runs"), description="Folder in which each run gets its own."
    )
    name: Annotated[str | None, Flag(metavar="NAME")] = Field(
        default=None, description="Name of the run. Default: the data folder's name."
    )
    resume: Annotated[Path | None, Flag(metavar="RUN")] = Field(
        default=None, description="Continue this run exactly; takes its settings from it."
    )
    allow_drift: Annotated[tuple[str, ...], Flag(metavar="KEY")] = Field(
        default=(), description="Resume although this differs, such as optim.lr; the refusal lists the keys."
    )
    init_from: Annotated[Path | None, Flag(metavar="CKPT")] = Field(
        default=None, description="Start a new run from a checkpoint's weights."
    )
    val: bool = Field(
        default=True, description="--no-val trains without any validation: the last weights are exported."
    )
    monitor: Literal["val/acc_top1", "val/loss", "val/f1_macro", "val/acc_top5", "val/ece"] = Field(
        default="val/acc_top1", description="Metric that picks the best epoch and stops early."
    )
    patience: Annotated[int, Field(gt=0)] = Field(
        default=10, description="Epochs without a better metric before stopping."
    )
    min_delta: Annotated[float, Field(ge=0)] = Field(default=0.001, description="Least change that counts as better.")
    on_nan: Literal["stop", "skip"] = Field(
        default="stop",
        description="A step with NaN or infinity: stop, or skip it and count it, until there are too many.",
    )
    tracker: tuple[Literal["csv", "tensorboard", "wandb", "mlflow"], ...] = Field(
        default=("csv",),
        description="Also send scores, pictures, settings and model files there; metrics.csv is always written.",
    )
    checkpoint_every_steps: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="Also keep a resumable step-*.ckpt every so many optimiser steps."
    )


class ComputeSection(Section):
    title: ClassVar[str] = "Compute"

    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(default=0, description="Seed of every random number.")
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$"), Flag(metavar="DEVICE")] = Field(
        default="auto", description="auto, cpu, cuda, cuda:1 or mps."
    )
    threads: Annotated[int, Field(gt=0)] | Auto = Field(
        default="auto", description="Math threads. auto: OMP_NUM_THREADS, else physical cores less workers."
    )
    workers: Annotated[Count | Auto, Flag(("--workers", "-j"))] = Field(
        default="auto",
        description="Processes that read images; with threads at most the cores. auto: none to train on kept images.",
    )
    worker_timeout: Annotated[int, Field(ge=0), Flag(metavar="SECONDS")] = Field(
        default=300, description="Stop when a batch has not come from a worker for so long; 0 waits for ever."
    )
    cache: Literal["auto", "ram", "disk", "gpu", "none"] = Field(
        default="auto",
        description="Where decoded images are kept between epochs; gpu draws them there too. auto: the first of GPU, "
        "memory and disk that has room.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="Of training. auto: bf16 on a GPU that has it, and on a CPU that is faster so. Scores: fp32.",
    )
    compile: Literal["off", "auto", "on"] = Field(
        default="off",
        description="Compile the network for training steps, which takes seconds to minutes first. auto: on a GPU, "
        "where the run is long enough.",
    )
    channels_last: bool = Field(default=True, description="Memory layout that most convolutions run faster in.")
    deterministic: bool = Field(default=False, description="Only deterministic algorithms; slower on a GPU.")


class CallbacksSection(Section):
    title: ClassVar[str] = "Callbacks"

    checkpoints: bool = Field(default=True, description="Keep last, best and the top three.")
    early_stopping: bool = Field(default=True, description="Stop when the monitored metric no longer gets better.")
    confusion: bool = Field(default=True, description="Confusion matrix of every epoch.")
    samples: bool = Field(default=True, description="Grid of val images with predictions.")
    sample_count: Annotated[int, Field(gt=0, le=100)] = Field(default=16, description="Images in that grid.")
    history: bool = Field(default=True, description="Curves of loss, accuracy and learning rate.")
    model_info: bool = Field(default=True, description="Parameters, size, multiply-adds and layers.")
    dataset_stats: bool = Field(default=True, description="Class counts per split at the start.")
    sampler_stats: bool = Field(default=True, description="Drawn against expected images per class.")
    lr_log: bool = Field(default=True, description="Record the learning rate.")
    report: bool = Field(default=True, description="One HTML page of the whole run, at its end.")
    progress: bool = Field(default=True, description="Progress bar, or one line per epoch off a terminal.")
    pictures: Literal["auto", "every", "last"] = Field(
        default="auto",
        description="Pictures of each epoch: while cheap (under 0.5 % of the time, 5 MB), always, or at the end.",
    )


class CompareSection(Section):
    title: ClassVar[str] = "Gates"

    max_accuracy_drop: Share | None = Field(
        default=None, description="Exit 1 when B's top-1 accuracy is lower than A's by more than this."
    )
    per_class_max_accuracy_drop: Share | None = Field(
        default=None, description="Exit 1 when B's accuracy on a class is lower than A's by more than this."
    )


class CalibrateSection(Section):
    title: ClassVar[str] = "Calibration"

    target_precision: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.95, description="Share of right answers that each class's threshold should reach."
    )


class SynthSection(Section):
    title: ClassVar[str] = "Synthetic jersey numbers"

    images: Annotated[int, Field(gt=0)] = Field(default=1200, description="Images over all splits.")
    classes: Annotated[int, Field(gt=1, le=111)] = Field(
        default=14, description="Number of classes, the empty string, 0 and 00 among them."
    )
    imbalance: Annotated[float, Field(ge=1)] = Field(
        default=8.0, description="Images of the largest class over those of the smallest."
    )
    empty: bool = Field(
        default=True, description="Include the class of unreadable numbers, labelled with the empty string."
    )
    like: Annotated[Path | None, Flag(metavar="DIR")] = Field(
        default=None, description="Draw images of this data set's rare classes instead."
    )
    below: Annotated[int, Field(gt=0)] = Field(default=50, description="With --like: classes with fewer train images.")
    target: Annotated[int, Field(gt=0)] = Field(
        default=200, description="With --like: train images that they should reach."
    )
