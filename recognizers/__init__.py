"""Networks that score arcs, and what turns pixels or ink into graphs.

The parts of the readers, in the order of the paper:

- :mod:`recognizers.lenet` and the modules beside it: LeNet-5 and how it learns;
  :mod:`recognizers.digits`: pictures of single digits; :mod:`recognizers.baselines`: the methods
  it is compared with (sections II and III);
- :mod:`recognizers.segmentation`: from a field to its segmentation graph;
  :mod:`recognizers.segment_networks` and :mod:`recognizers.recognition`: networks that read the
  segments, and their transformer (section V);
- :mod:`recognizers.lines`, :mod:`recognizers.sdnn` and :mod:`recognizers.crnn`: lines read without
  being cut; :mod:`recognizers.spotting`: objects found on pages (section VII);
- :mod:`recognizers.online`: words written with a pen (section IX);
- :mod:`recognizers.fields`: the fields of a whole check (section X);
- :mod:`recognizers.datasets`: readers and composers of data sets; ``weights``: trained
  checkpoints, each with a card.
"""
