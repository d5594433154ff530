"""GPUs as NVML tells of them, without one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from models import devices
from models.errors import EngineFailed


class FakeNVML(ModuleType):
    NVMLError = RuntimeError

    def __init__(self, names: list[str], driver: bool = True) -> None:
        super().__init__("pynvml")
        self.names, self.driver = names, driver

    def nvmlInit(self) -> None:  # noqa: N802 -- NVML's own names
        if not self.driver:
            raise self.NVMLError("no driver")

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.driver = False

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.names)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, handle: int) -> str:  # noqa: N802
        return self.names[handle]

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(free=10 + handle, total=20)


@pytest.mark.parametrize(("visible", "expected"), [(None, [0, 1]), ("1", [1]), ("1,0", [1, 0]), ("", []), ("GPU-8f2c", [0, 1]), ("7", [])])
def test_the_visible_gpus_are_told(monkeypatch: pytest.MonkeyPatch, visible: str | None, expected: list[int]) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNVML(["A", "B"]))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [(gpu.index, gpu.name, gpu.free, gpu.total) for gpu in devices.gpus()] == [(i, "AB"[i], 10 + i, 20) for i in expected]


def test_no_driver_and_no_nvml_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNVML(["A"], driver=False))
    assert devices.gpus() == ()
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert devices.gpus() == ()


def test_a_driver_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeNVML(["A"])

    def lost() -> int:
        raise fake.NVMLError("GPU is lost")

    monkeypatch.setattr(fake, "nvmlDeviceGetCount", lost)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    with pytest.raises(EngineFailed, match="the driver of the GPU fails: GPU is lost"):
        devices.gpus()


def test_the_machine_has_processors_and_memory() -> None:
    assert devices.cores() >= 1
    assert devices.ram() > 1 << 20


@pytest.mark.parametrize(
    ("own", "least"), [("0::/unit/inner\n", 500), ("12:cpu:/\n0::/unit\n", 700), ("0::/elsewhere/outside\n", 900), ("", None)]
)
def test_of_memory_there_is_what_the_control_groups_leave(
    own: str, least: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = devices.ram()
    for group, most in {".": "900", "unit": "700", "unit/inner": "500", "unit/inner/below": "max"}.items():
        (tmp_path / group).mkdir(exist_ok=True)
        (tmp_path / group / "memory.max").write_text(f"{most}\n")
    (tmp_path / "own").write_text(own)
    monkeypatch.setattr(devices, "GROUPS", tmp_path)
    monkeypatch.setattr(devices, "OWN_GROUP", tmp_path / "own")
    assert devices.ram() == (least or whole)
