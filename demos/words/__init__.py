"""Reads pen-written characters and words (paper section IX).

Each folder imports from those above it in this list, and from no other:

* ``reading``: a reader of words, by over-segmentation or by SDNN/HMM, and what words there are;
* ``samples``: ink with what it says: of UNIPEN data, of files, written by code;
* ``measuring``: how much is read wrong;
* ``training``: a reader trained on letters and words, or adapted to one's own hand;
* ``report``: pages that show how words were read;
* ``pad``: a page in the browser to write on;
* ``experiments``: what ``docs/words.md`` measures beside, and that page;
* ``commands``: the command line, put together in ``__main__``.

``ink`` holds the words that come with the package.
"""

from demos import require

require("readers,words", "wordfreq")
