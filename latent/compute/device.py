"""Where tensors live and how precisely they are multiplied."""

import ctypes
import platform
from contextlib import AbstractContextManager

import torch

from latent.errors import UserError

# glibc's mallopt parameters (malloc.h)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4


def choose_device(name: str | None = None) -> torch.device:
    """The device called `name`, or the best one at hand: cuda, then mps, then cpu. Raises UserError if it is not there."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        return torch.device(next(kind for kind, here in present.items() if here))
    if not present.get(name.split(":")[0], False):
        here = ", ".join(kind for kind, is_here in present.items() if is_here)
        raise UserError(f"device {name!r} is not on this machine; choose one of: {here}")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # a number that is no number, or of a card that is not there
        raise UserError(f"device {name!r} is not on this machine; write {name.split(':')[0]!r}") from error


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 in hardware: a CUDA card, or a CPU with AMX or AVX512-BF16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and (_cpu_has("amx_bf16") or _cpu_has("avx512_bf16"))


def _cpu_has(capability: str) -> bool:
    return getattr(torch.cpu, "get_capabilities", dict)().get(capability, False)


def precision(device: torch.device) -> torch.dtype:
    """What `device` multiplies in: bfloat16 where the hardware has it, float32 elsewhere."""
    return torch.bfloat16 if has_bfloat16(device) else torch.float32


def autocast(device: torch.device) -> AbstractContextManager:
    """The precision of every forward pass: bfloat16 where the hardware has it, float32 elsewhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))


def keep_memory() -> None:
    """Tell glibc to keep freed memory: handing a step's activations back and faulting them in again halves the speed."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(_M_MMAP_THRESHOLD, 2**30)


def describe(device: torch.device) -> str:
    """The hardware in words, without a host name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads, vectors = torch.get_num_threads(), torch.backends.cpu.get_cpu_capability() + " with AMX" * _cpu_has("amx_tile")
    return f"{device.type}, {threads} thread{'s' * (threads > 1)}, {vectors}, {str(precision(device)).removeprefix('torch.')}"
