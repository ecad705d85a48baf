"""Decode images as a pipeline would, and more strictly."""
import io
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

import cv2
import mmcv
from mmengine import fileio
from PIL import Image

from .findings import Finding

PROCESSES = 2
# A path, and the size (width, height) its annotation gives, if it gives one.
Wanted = Tuple[str, Optional[Tuple[int, int]]]


def check_images(images: Sequence[Wanted], settings: Dict[str, Any],
                 processes: int = PROCESSES) -> List[Finding]:
    """What is wrong with images.

    Args:
        images: What to decode.
        settings: ``color_type``, ``imdecode_backend``, ``backend_args`` and ``ignore_empty`` of
            the pipeline's ``LoadImageFromFile``.
        processes: How many decode; 1 is this one. Default: 2, if there are two cores.
    """
    check = partial(check_image, settings)
    found: Iterable[List[Finding]]
    processes = min(processes, os.cpu_count() or 1, len(images))
    if processes < 2:
        found = map(check, images)
        return [finding for findings in found for finding in findings]
    with ProcessPoolExecutor(processes, initializer=_alone) as pool:
        found = pool.map(check, images, chunksize=16)
        return [finding for findings in found for finding in findings]


def check_image(settings: Dict[str, Any], wanted: Wanted) -> List[Finding]:
    """What is wrong with one image."""
    path, size = wanted
    fatal = not settings.get('ignore_empty')
    try:
        content = fileio.get(path, backend_args=settings.get('backend_args'))
    except Exception as error:      # of any storage
        return [Finding('unread', path, f'cannot be read ({_short(error)})', fatal)]
    try:
        image = mmcv.imfrombytes(content, flag=settings.get('color_type', 'color'),
                                 backend=settings.get('imdecode_backend', 'cv2'))
        why = 'the decoder gives nothing'
    except Exception as error:      # of any decoder
        image, why = None, _short(error)
    end = _missing_end(content)
    if image is None:
        return [Finding('unread', path, f'does not decode ({end or why})', fatal)]
    findings = []
    if end:     # some decoders fill the rest with grey
        findings.append(Finding('cut', path, f'its end is missing ({end})'))
    height, width = image.shape[:2]
    if size is not None and tuple(size) != (width, height):
        findings.append(Finding('size', path, f'is {width} x {height} pixels, annotated as '
                                f'{size[0]} x {size[1]}'))
    return findings


def _missing_end(content: bytes) -> str:
    """Why PIL refuses the image as cut short; empty where it does not."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except OSError as error:
        text = _short(error)
        return text if 'truncated' in text.lower() else ''
    except Exception:       # a format that PIL does not know is no fault
        return ''
    return ''


def _alone() -> None:
    """One thread a process: there is a process per core."""
    cv2.setNumThreads(0)


def _short(error: Exception) -> str:
    return f'{" ".join(str(error).split())[:120]}' or type(error).__name__
