"""The settings of trainings of character networks and of word readers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CharacterSettings", "WordSettings"]


@dataclass(frozen=True)
class CharacterSettings:
    """All that a training of a character network depends on besides its data.

    `output`: "rbf" or "softmax". `passes` over the characters, in batches of `batch`, by Adam with
    a rate that rises to `rate` in the first pass and falls to zero along a cosine. The RBF centres
    stay at the codes for the share `fixed` of the passes; then they are trained, too. `distortion`
    is the strength of `InkBatch.distorted`. A share `among_kind` of the loss is eq. 9 among the
    classes of the character's kind (small letters, say), the rest eq. 9 among all. `maps` are the
    network's feature maps (the default is the paper's). The kept parameters are a running mean over
    about `averaging` steps. With `bfloat16` the network's products are in half precision during
    training.
    """

    output: str = "rbf"
    passes: int = 40
    batch: int = 100
    rate: float = 2e-3
    fixed: float = 0.3
    distortion: float = 1.0
    among_kind: float = 0.0
    maps: tuple[int, int] = (8, 25)
    averaging: int = 1000
    bfloat16: bool = True
    seed: int = 0


@dataclass(frozen=True)
class WordSettings:
    """All that a training of a word reader depends on besides its data.

    Each of the `strings` steps sees `string_batch` strings from a pool of `pool`; each of the
    `words` steps sees `word_batch` words, drawn from contributors in proportion to the `balance`-th
    power of their numbers of words. Adam's rates rise in the first hundred steps of a stage and
    fall to zero along a cosine; outside the network (geometry, character models) they are `beside`
    times as high. The RBF centres stay at the codes in the first stage. `maps` are the network's
    feature maps (the paper has 8 and 25); with `context`, over-segmentation also sees the ink
    beside a segment. `distortion` is the strength of `InkBatch.distorted`. The kept parameters are
    a running mean over about `averaging` steps. With `bfloat16` the network's products are in half
    precision during training. `start` is a reader that the stage of words starts from; the stage
    before then only serves for comparison, and is left out if it has no steps.
    """

    system: str = "segments"
    output: str = "softmax"
    normaliser: bool = True
    pool: int = 12_000
    strings: int = 2000
    string_batch: int = 32
    string_rate: float = 2e-3
    words: int = 5000
    word_batch: int = 24
    word_rate: float = 2e-3
    beside: float = 5.0
    maps: tuple[int, int] = (16, 50)
    context: bool = False
    balance: float = 0.7
    distortion: float = 0.7
    averaging: int = 500
    bfloat16: bool = True
    start: str = ""
    seed: int = 0
