"""What trainings of networks of characters and of readers of words depend on, beside their data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CharacterSettings", "WordSettings"]


@dataclass(frozen=True)
class CharacterSettings:
    """How the network is trained.

    `output`: "rbf" or "softmax". `passes` over the characters, in batches of `batch`, by Adam with
    a rate that rises to `rate` in the first pass and falls to zero along a cosine. The RBF centres
    stay at the codes for the share `fixed` of the passes, then they are trained too. `distortion`
    is the strength of `InkBatch.distorted`. The loss is eq. 9 among the classes of the kind (small
    letters, say) with the weight `among_kind`, and for the rest among all. `maps` are those of the
    network (those of the paper); the kept parameters are a running mean over about
    `averaging` steps. With `bfloat16` the network's products are in half precision while it learns.
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
    """Everything that a training run depends on, beside its data.

    Of `strings` steps each sees `string_batch` strings of a pool of `pool`; of `words` steps each
    sees `word_batch` words, drawn from contributors in proportion to the `balance`-th power of
    how many words they have. Rates of Adam rise in the first hundred steps of a stage and fall to
    zero along a cosine; that of what is no network (geometry, character models) is `beside` times
    as high. The RBF centres stay at the codes in the first stage. `maps` are those of the network
    (the paper's are 8 and 25); with `context` over-segmentation also sees the ink beside a
    segment. `distortion` is the strength of `InkBatch.distorted`, the kept
    parameters are a running mean over about `averaging` steps. With `bfloat16` the products of
    the network are in half precision while it learns. `start` is a reader that the stage of words
    begins with; the stage before is then only what words are measured against, and left out where
    it has no step.
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
