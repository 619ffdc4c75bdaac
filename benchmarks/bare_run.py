"""A bare training run, in place of timm's train script where that is not there; run by benchmarks/fixed_cost.py.

    python benchmarks/bare_run.py DATA PX EPOCHS BATCH OUT

What a person writes with torch and timm alone: timm's data sets and loaders (one worker each, random resized crops and
flips), resnet18 without pretrained weights, AdamW, a cosine, validation after each epoch, and a checkpoint of each with
the optimiser's state beside the best one. No moving average, no test, no report, no export; and no wandb, which timm
imports where it is installed.
"""

import csv
import shutil
import sys
from pathlib import Path

sys.modules["wandb"] = None  # type: ignore[assignment]  # "not there": two seconds

import timm  # noqa: E402
import torch  # noqa: E402
from timm.data import create_dataset, create_loader  # noqa: E402
from timm.utils import AverageMeter, accuracy  # noqa: E402


def main() -> None:
    data, px, epochs, batch, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5])
    torch.manual_seed(0)
    device = torch.device("cpu")
    train, val = (create_dataset("", data, split=split) for split in ("train", "val"))
    network = timm.create_model("resnet18", num_classes=len(train.reader.class_to_idx))
    learning, scoring = (
        create_loader(
            images, (3, px, px), batch, is_training=trains, num_workers=1, use_prefetcher=False, pin_memory=False
        )
        for images, trains in ((train, True), (val, False))
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(learning))
    loss_of, best = torch.nn.CrossEntropyLoss(), -1.0
    for epoch in range(epochs):
        losses, top1 = AverageMeter(), AverageMeter()
        network.train()
        for images, targets in learning:
            loss = loss_of(network(images.to(device)), targets.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.update(loss.item(), len(targets))
        network.eval()
        with torch.inference_mode():
            for images, targets in scoring:
                (correct,) = accuracy(network(images.to(device)), targets.to(device))
                top1.update(correct.item(), len(targets))
        state = {"epoch": epoch, "state_dict": network.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(state, out / "tmp.pth.tar")
        (out / "tmp.pth.tar").replace(out / "last.pth.tar")
        if top1.avg > best:
            best = top1.avg
            shutil.copyfile(out / "last.pth.tar", out / "best.pth.tar")
        with (out / "summary.csv").open("a", newline="") as file:
            csv.writer(file).writerow((epoch, losses.avg, top1.avg))


if __name__ == "__main__":
    main()
