"""The check reader: handwritten courtesy amounts, from pictures to texts (paper, section X).

Each folder imports from those above it in this list, and from no other:

* ``reading``: a reader of fields, and the recognizers that it has by name;
* ``measuring``: how much is read right, and how far confidences can be trusted;
* ``training``: a reader trained from the texts of fields;
* ``whole``: whole checks, whose fields are located first;
* ``report``: pages that show how it was read;
* ``experiments``: what ``docs/checks.md`` measures beside;
* ``composing``: fields that are composed, to train on;
* ``options``: what the commands are given on the command line, which ``__main__`` puts together;
* ``commands``: what they do with it.

``choices`` has what can be chosen by name. ``compose_*.py`` are programs of their own that write
fields to train on; ``fields`` are some.
"""
