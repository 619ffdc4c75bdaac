"""Settings that exclude each other. Rules look at values only: a saved settings file sets them all."""

from clf_cli.settings.root import Settings


def conflicts(settings: Settings) -> tuple[str, ...]:
    """One message per broken rule, in flag names; empty when the settings agree."""
    data, train, synth, optim = settings.data, settings.train, settings.synth, settings.optim
    rules = [
        (
            train.resume is not None and train.init_from is not None,
            "--resume and --init-from exclude each other: --resume continues a run, --init-from starts a new one.",
        ),
        (
            bool(train.allow_drift) and train.resume is None,
            "--allow-drift has no effect without --resume: it allows what differs from the run that goes on.",
        ),
        (
            settings.model.weights is not None and train.init_from is not None,
            "--weights and --init-from exclude each other: both say which weights to start from.",
        ),
        (
            data.val_fraction + data.test_fraction >= 1,
            f"--val-fraction {data.val_fraction:g} and --test-fraction {data.test_fraction:g} leave no train split;"
            " together they must stay below 1.",
        ),
        (
            optim.warmup_epochs != "auto" and optim.warmup_epochs > optim.epochs,
            f"--warmup-epochs {optim.warmup_epochs} is more than --epochs {optim.epochs}: the warm-up would never end.",
        ),
        (
            settings.export.enabled and not settings.callbacks.checkpoints,
            "--no-checkpoints leaves no weights to export: add --no-export.",
        ),
        (
            train.checkpoint_every_steps is not None and not settings.callbacks.checkpoints,
            "--checkpoint-every-steps keeps nothing with --no-checkpoints: leave one of them out.",
        ),
        (
            synth.like is not None and synth.target < synth.below,
            f"--target {synth.target} is less than --below {synth.below}: classes that need images would get none.",
        ),
    ]
    return tuple(message for broken, message in rules if broken)
