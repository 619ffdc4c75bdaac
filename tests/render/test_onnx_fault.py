"""Faults in sentences."""

from clf_cli.engine.onnx_fault import Fault
from clf_cli.render.onnx_fault import of_file, of_program

KERNEL = Fault("resize kernel", "bilinear", "bicubic", 32, 0.714, 1.0, 0.9, 1e-6)


def test_of_a_file():
    (line,) = of_file([KERNEL])
    assert line == (
        "The stage at fault: resize kernel. The file has bilinear, the checkpoint bicubic; "
        "with the latter 100.0 % agree, without 71.4 % of 32 images (logits differ by 1.0e-06, without by 9.0e-01)."
    )
    assert of_file([KERNEL, KERNEL])[1].startswith("Also at fault: ")
    assert of_file([]) == []


def test_of_a_program():
    (line,) = of_program([KERNEL], "probabilities")
    assert "The program has bilinear, the contract bicubic; done that way by clf too, 100.0 % agree" in line
    assert "(probabilities differ by 1.0e-06, without by 9.0e-01)" in line


def test_numbers_that_are_not_there():
    labels = Fault("label order", "a", "b", 1, 0.0, 1.0, None, None)
    assert of_program([labels], "labels")[0].endswith("without 0.0 % of 1 image.")
    nan = Fault("graph", "a", "b", 2, 0.0, 1.0, float("nan"), 0.0)
    assert "without by –" in of_file([nan])[0]
    unseen = Fault("decode", "a", "b", 0, 1.0, 1.0, 0.0, 0.0)
    assert "none of these images shows it" in of_file([unseen])[0]
