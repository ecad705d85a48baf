"""Keys of figures and pictures: names of files, made of any text, and no two alike."""
import re
import unicodedata
from typing import Any, Iterable, List, Sequence, Set, Union

from .section import Figure, Picture, Section

_LONGEST = 120      # characters; file systems take 255 bytes, suffixes included


def slug(*parts: Any) -> str:
    """A key: ASCII's lower case letters and digits with dashes between, at most 120 characters.

    Letters that ASCII lacks lose their accents, or are left out: texts may share a key, see
    :func:`keys_apart`.

    Args:
        parts: The first begins with an ASCII letter or digit.
    """
    text = unicodedata.normalize('NFKD', '-'.join(map(str, parts)).casefold())
    text = text.encode('ascii', 'ignore').decode('ascii')
    return '-'.join(re.findall('[a-z0-9]+', text))[:_LONGEST].rstrip('-')


def keys_apart(sections: Sequence[Section], others: Iterable[Section] = ()) -> None:
    """Number the keys of figures, and of pictures, that are there already: ``'a'``, ``'a-2'``.

    Args:
        sections: Get the numbers, in place.
        others: That stand in the same report and keep their keys. Default: none.
    """
    others = list(others)
    _number([f for s in sections for f in s.figures], [f.key for s in others for f in s.figures])
    _number([p for s in sections for p in s.pictures], [p.key for s in others for p in s.pictures])


def _number(items: Sequence[Union[Figure, Picture]], taken: List[str]) -> None:
    seen: Set[str] = {key.lower() for key in taken}     # some file systems do not tell case apart
    for item in items:
        key, number = item.key, 1
        while item.key.lower() in seen:
            number += 1
            item.key = f'{key}-{number}'
        seen.add(item.key.lower())
