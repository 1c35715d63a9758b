"""The check reader: handwritten courtesy amounts, from pictures to texts (paper, section X).

Each folder imports from those above it in this list, and from no other:

* ``reading``: the reader of fields, and its recognizers by name;
* ``measuring``: how much is read right, and how far the confidences can be trusted;
* ``training``: training a reader from the texts of fields;
* ``whole``: whole checks, whose fields are located first;
* ``report``: pages that show how something was read;
* ``experiments``: the further measurements of ``docs/checks.md``;
* ``composing``: composed fields, to train on;
* ``options``: the options of the commands, which ``__main__`` puts together;
* ``commands``: what the commands do with them.

``choices`` lists what can be chosen by name. ``compose_*.py`` are separate programs that write
fields to train on; ``fields`` holds some of their output.
"""
