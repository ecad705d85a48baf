"""One image with what is on it, kept as plain values and rendered several times side by side."""
import base64
import io
import zlib
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pycocotools import mask as coco_mask

from mmlth.core.errors import UserError

from .guard import reason_of
from .style import PALETTE

PANEL = 480         # pixels of the width of one picture
SIDE = 640          # pixels of the longer side that are kept
_GAP, _TITLE = 8, 30
_VISIBLE = 0.05     # keypoints of a lower score are not rendered
_INK, _PAPER = '#1f2328', '#ffffff'


def read_picture(path: Union[str, Path], backend_args: Optional[dict] = None) -> Image.Image:
    """An image as the training reads it: 8 bits of red, green and blue, turned as EXIF says.

    Raises:
        UserError: It cannot be read so.
    """
    from mmcv import imread
    try:
        pixels = imread(str(path), channel_order='rgb', backend_args=backend_args)
    except Exception as error:
        raise UserError(f'the image {path} cannot be shown ({reason_of(error)})') from None
    if pixels is None:
        raise UserError(f'the image {path} cannot be shown: OpenCV does not read it')
    return Image.fromarray(pixels)


def keep_photo(path: Union[str, Path], backend_args: Optional[dict] = None) -> Dict[str, Any]:
    """``width`` and ``height`` of an image, and ``jpeg``: base64, at most 640 pixels wide and
    high.
    """
    picture = read_picture(path, backend_args)
    width, height = picture.size
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, 'JPEG', quality=85)
    return dict(width=width, height=height,
                jpeg=base64.b64encode(buffer.getvalue()).decode('ascii'))


def encode_mask(mask: Union[np.ndarray, Dict[str, Any]]) -> Dict[str, Any]:
    """A mask as COCO's run lengths, in plain values.

    Args:
        mask: (H, W) of bool; or run lengths as in COCO's files.
    """
    if isinstance(mask, np.ndarray):
        mask = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    elif isinstance(mask['counts'], list):
        mask = coco_mask.frPyObjects(mask, *mask['size'])
    counts = mask['counts']
    return dict(size=list(map(int, mask['size'])), counts=counts.decode('ascii') if isinstance(
        counts, bytes) else counts)


def encode_polygons(polygons: List[List[float]], size: Tuple[int, int]) -> Dict[str, Any]:
    """The same of a mask that COCO's files tell by polygons, in an image of height and width."""
    return encode_mask(coco_mask.merge(coco_mask.frPyObjects(polygons, *size)))


def render_columns(example: Dict[str, Any],
                 columns: Sequence[Tuple[str, List[Dict[str, Any]]]]) -> Image.Image:
    """One image several times side by side, each with other objects on it.

    Args:
        example: With ``width``, ``height``, ``jpeg`` (of :func:`keep_photo`) and ``skeleton``.
        columns: Titles and objects.
    """
    photo = Image.open(io.BytesIO(base64.b64decode(example['jpeg']))).convert('RGB')
    factor = PANEL / photo.width
    photo = photo.resize((PANEL, max(1, round(photo.height * factor))),
                         Image.Resampling.LANCZOS)
    canvas = Image.new('RGB', (len(columns) * (PANEL + _GAP) - _GAP, photo.height + _TITLE),
                       _PAPER)
    for number, (title, objects) in enumerate(columns):
        panel = render_objects(photo, objects, PANEL / example['width'], example['skeleton'])
        left = number * (PANEL + _GAP)
        canvas.paste(panel, (left, _TITLE))
        ImageDraw.Draw(canvas).text((left + 2, 4), title, fill=_INK, font=_font(18))
    return canvas


def to_png(image: Image.Image) -> bytes:
    """What a PNG file of an image has in it."""
    buffer = io.BytesIO()
    image.save(buffer, 'PNG')
    return buffer.getvalue()


def render_objects(photo: Image.Image, objects: List[Dict[str, Any]], scale: float,
                 skeleton: Sequence[Sequence[int]]) -> Image.Image:
    """The photo with masks, boxes, skeletons and names of its objects.

    Args:
        photo: Is not changed.
        objects: With coordinates in pixels of the original; the last are rendered first.
        scale: Pixels of the photo per pixel of the original.
        skeleton: Pairs of indices of keypoints.
    """
    photo = photo.copy()
    ordered = sorted(objects, key=lambda o: o.get('score', 1.0))
    for found in ordered:
        if 'mask' in found:
            photo = _render_mask(photo, found)
    pen = ImageDraw.Draw(photo)
    for found in ordered:
        if 'bbox' in found:
            _render_box(pen, found, scale)
        if 'keypoints' in found:
            _render_pose(pen, found, scale, skeleton)
    return photo


def colour_of(category: str) -> str:
    """The same colour for a category in all pictures; safe for the colour-blind."""
    return PALETTE[zlib.crc32(category.encode()) % len(PALETTE)]


def _render_mask(photo: Image.Image, found: Dict[str, Any]) -> Image.Image:
    area = coco_mask.decode(dict(found['mask'], counts=found['mask']['counts'].encode('ascii')))
    alpha = Image.fromarray((area * 110).astype(np.uint8)).resize(
        photo.size, Image.Resampling.BILINEAR)
    colour = Image.new('RGB', photo.size, colour_of(found['category']))
    return Image.composite(colour, photo, alpha)


def _render_box(pen: ImageDraw.ImageDraw, found: Dict[str, Any], scale: float) -> None:
    x, y, width, height = (value * scale for value in found['bbox'])
    colour = colour_of(found['category'])
    pen.rectangle([x, y, x + max(1, width), y + max(1, height)], outline=colour, width=3)
    score = f' {found["score"]:.2f}' if 'score' in found else ''
    text, font = f'{found["category"]}{score}', _font(13)
    left, top, right, bottom = pen.textbbox((x + 3, max(0, y - 17)), text, font=font)
    pen.rectangle([left - 3, top - 2, right + 3, bottom + 2], fill=colour)
    pen.text((x + 3, max(0, y - 17)), text, fill=_contrast(colour), font=font)


def _render_pose(pen: ImageDraw.ImageDraw, found: Dict[str, Any], scale: float,
               skeleton: Sequence[Sequence[int]]) -> None:
    colour = colour_of(found['category'])
    points = {k: (x * scale, y * scale) for k, (x, y, v) in enumerate(found['keypoints'])
              if v > _VISIBLE}
    for a, b in skeleton:
        if a in points and b in points:
            pen.line([points[a], points[b]], fill=_PAPER, width=5)
            pen.line([points[a], points[b]], fill=colour, width=3)
    for x, y in points.values():
        pen.ellipse([x - 4, y - 4, x + 4, y + 4], fill=colour, outline=_PAPER)


def _contrast(colour: str) -> str:
    red, green, blue = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return _INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else _PAPER


def _font(size: int) -> Any:
    return ImageFont.load_default(size)
