"""The random state on another number of GPUs."""
import pytest
import torch

from mmlth.core.random_state import noise_seed, random_state, set_random_state


@pytest.mark.parametrize('visible', [0, 1, 2, 3])
def test_states_of_more_or_fewer_gpus(monkeypatch, visible):
    """As torch does: a state for a device that is not there is an IndexError."""
    put = {}

    def set_rng_state(state, device):
        if device >= visible:
            raise IndexError('tuple index out of range')
        put[device] = int(state[0])

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: visible > 0)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: visible)
    monkeypatch.setattr(torch.cuda, 'set_rng_state', set_rng_state)
    monkeypatch.setattr(torch.cuda, 'set_rng_state_all', lambda states: [
        set_rng_state(state, device) for device, state in enumerate(states)])
    state = dict(random_state(), cuda=[torch.tensor([7]), torch.tensor([8])])
    set_random_state(state)
    assert put == {0: {}, 1: {0: 7}}.get(visible, {0: 7, 1: 8})


def test_noises_are_far_apart():
    """Each is its own, also among seeds; and stays what it was: finished runs were made with it."""
    seeds = [noise_seed(seed, noise) for seed in range(20) for noise in range(20)]
    assert len({*seeds, *range(40)}) == 400 + 40 and all(0 <= seed < 2**31 for seed in seeds)
    assert (noise_seed(0, 1), noise_seed(3, 2)) == (1982462498, 480164916)
