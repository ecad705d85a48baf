"""What the figures were measured on."""
import os
import platform

import torch


def machine(device: str) -> dict:
    """Processor, cores that this process may use, load, torch and its threads."""
    cores = getattr(os, 'sched_getaffinity', lambda _: range(os.cpu_count() or 1))(0)
    gpu = torch.cuda.get_device_name(device) if device.startswith('cuda') else None
    return dict(processor=_processor(), cores=len(cores), load=os.getloadavg()[0],
                python=platform.python_version(), torch=torch.__version__,
                threads=torch.get_num_threads(), device=device, gpu=gpu)


def _processor() -> str:
    try:
        with open('/proc/cpuinfo') as file:
            return next(line.split(':')[1].strip() for line in file
                        if line.startswith('model name'))
    except (OSError, StopIteration):    # not on Linux, or not on x86
        return platform.processor() or platform.machine()
