"""Read pen-written characters and words (paper section IX).

Each folder imports from those above it in this list, and from no other:

* ``reading``: the reader of words, by over-segmentation or by SDNN/HMM, and its lexicons;
* ``samples``: labelled ink: UNIPEN data, files, words written by code;
* ``measuring``: how much is read wrong;
* ``training``: training a reader on letters and words, or adapting it to a user's hand;
* ``report``: pages that show how words were read;
* ``pad``: a page in the browser to write on;
* ``experiments``: the further measurements of ``docs/words.md``, and that page;
* ``options``: the options of the commands, which ``__main__`` puts together;
* ``commands``: what the commands do with them.

``choices`` lists what can be chosen by name; ``ink`` holds the words shipped with the package.
"""

from demos import require

require("readers,words", "wordfreq")
