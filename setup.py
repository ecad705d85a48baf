"""Install mmlth, and put what `mim` looks for where `mim` looks for it."""
import os
import runpy
import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
MINIMUM = runpy.run_path(str(ROOT / 'mmlth' / 'versions.py'))['MINIMUM']
# What who starts from nothing may ask pip for. MMDetection 3.3 does not import with mmcv 2.2,
# nor MMPose with numpy 2, and neither tells pip.
OPENMMLAB = [*(f'{name}>={MINIMUM[name]}' for name in ('torch', 'mmengine', 'mmdet', 'mmpose')),
             f'mmcv>={MINIMUM["mmcv"]},<2.2', 'numpy<2']


def add_mim_extension():
    """Put configs, tools and the model index into ``mmlth/.mim``.

    An editable install gets links, so that an edited config is the one `mim` runs;
    a wheel or source distribution gets copies.
    """
    editable = any(word in sys.argv for word in ('develop', 'editable_wheel'))
    mim = ROOT / 'mmlth' / '.mim'
    mim.mkdir(exist_ok=True)
    for name in ('configs', 'tools', 'model-index.yml'):
        source, target = ROOT / name, mim / name
        if not source.exists():  # building from a source distribution: copied already
            continue
        if target.is_symlink() or target.is_file():
            target.unlink()
        elif target.is_dir():
            shutil.rmtree(target)
        if editable:
            target.symlink_to(os.path.relpath(source, mim))
        elif source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copyfile(source, target)


if __name__ == '__main__':
    add_mim_extension()
    setup(
        name='mmlth',
        version='0.1.0',
        description='Lottery tickets for MMDetection and MMPose',
        long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
        long_description_content_type='text/markdown',
        license='Apache-2.0',
        packages=find_packages(include=['mmlth', 'mmlth.*']),
        include_package_data=True,
        package_data={'mmlth': ['.mim/**/*', 'report/*.j2', 'report/*.css',
                                'sparse/kernels/*']},
        python_requires='>=3.9',
        # No torch, mmcv, mmdet or mmpose here: pip would replace the builds that a
        # working OpenMMLab environment was compiled against. mmlth says on import what is
        # too old; who starts from nothing may ask for the extra.
        install_requires=['safetensors>=0.4', 'jinja2>=3.0'],
        extras_require={
            'openmmlab': OPENMMLAB,
            'digits': ['scikit-learn>=1.0'],
            'imagenet': [f'mmpretrain>={MINIMUM["mmpretrain"]}'],
            'studies': ['submitit>=1.5'],
            'test': ['pytest', 'hypothesis', 'playwright', 'ruff', 'mypy']},
        zip_safe=False)
