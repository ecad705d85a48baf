"""The records in a zip file of torch.save, if all readers of zip files must see the same ones.

Python's ``zipfile`` looks for the directory where the end of the file leaves room for it, and
torch's own reader where the end says that it is. A file with two directories would be
checked by one and read by the other.
"""
import struct
import zipfile
from pathlib import Path
from typing import Dict

import torch

# APPNOTE.TXT of PKWARE, 4.3.14 to 4.3.16; the length and the offset of the directory come last.
_END64 = struct.Struct('<4sQ2H2L4Q')
_LOCATOR = struct.Struct('<4sLQL')
_END = struct.Struct('<4s4H2LH')
_TAIL = struct.Struct(f'{_END64.size}s{_LOCATOR.size}s{_END.size}s')


def records(path: Path) -> Dict[str, int]:
    """The names of all records as torch has them, e.g. ``'data/0'``, and their bytes.

    Raises:
        ValueError: torch.save would not have written it: readers may differ over it, it is a
            program, or it unpacks to more than its own bytes.
    """
    _check_end(path)
    with zipfile.ZipFile(path) as file:
        entries = file.infolist()
    found = [entry.filename.partition('/')[2] for entry in entries]
    # Torch 1.13 tells of its reader no more than the names.
    if sorted(torch._C.PyTorchFileReader(str(path)).get_all_records()) != sorted(found):
        raise ValueError('torch finds other records in it than Python')
    if len(set(found)) < len(found):
        raise ValueError('it has two records of one name')
    if any(Path(name).name == 'constants.pkl' for name in found):
        raise ValueError('it is a TorchScript archive, a program: save a state_dict')
    # torch.save compresses nothing; what expands could take all memory, and so could records
    # that share their bytes.
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size
           for entry in entries):
        raise ValueError('it is compressed')
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise ValueError('its records have more bytes than the file')
    return {name: entry.file_size for name, entry in zip(found, entries)}


def _check_end(path: Path) -> None:
    """The directory must end where what closes the file begins, and that at the file's end."""
    size = path.stat().st_size
    with open(path, 'rb') as file:
        file.seek(max(0, size - _TAIL.size))
        tail = _TAIL.unpack(file.read().rjust(_TAIL.size, b'\0'))
    end64, locator, end = (form.unpack(part) for form, part in zip((_END64, _LOCATOR, _END), tail))
    begin = told = size - _END.size
    signature, *_, length, offset, comment = end
    if locator[0] == b'PK\x06\x07':
        begin -= _LOCATOR.size + _END64.size
        told = locator[2] if end64[0] == b'PK\x06\x06' else -1
        *_, length, offset = end64
    if signature != b'PK\x05\x06' or comment or told != begin or offset + length != begin:
        raise ValueError('its directory is not where its end says, or something follows: it is '
                         'damaged or forged')
