"""Reads pen-written characters and words (paper section IX).

Each folder imports from those above it in this list, and from no other:

* ``reading``: a reader of words, by over-segmentation or by SDNN/HMM, and what words there are;
* ``samples``: ink with what it says: of UNIPEN data, of files, written by code;
* ``measuring``: how much is read wrong;
* ``training``: a reader trained on letters and words, or adapted to one's own hand;
* ``report``: pages that show how words were read;
* ``pad``: a page in the browser to write on;
* ``experiments``: what ``docs/words.md`` measures beside, and that page;
* ``options``: what the commands are given on the command line, which ``__main__`` puts together;
* ``commands``: what they do with it.

``choices`` has what can be chosen by name; ``ink`` holds the words that come with the package.
"""

from demos import require

require("readers,words", "wordfreq")
