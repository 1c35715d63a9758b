"""The text of ``docs/words.md``; :mod:`demos.words.experiments.page` fills in the figures."""

# ruff: noqa: E501  (a row of a table is one line)

__all__ = ["PAGE"]

PAGE = """\
# Pen-written words

`python -m demos.words` reads words as a pen wrote them (the paper's section IX). The trajectory is
fitted to four lines, drawn as an annotated image without the order, direction and speed of the
strokes, recognized by a convolutional network, and interpreted by a lexicon; network and graphs are
trained together from words and their texts. There are two systems: over-segmentation (`--system
segments`, Fig. 30) and a network swept over the word with character models (`--system sdnn`,
Fig. 31). `python -m demos.words report` writes this page from `results/words`; all ink on it is
synthetic, written by `demos/words/samples/handwriting.py`.

| step | what it does | where |
|---|---|---|
| normaliser | fits four lines with common slope and curvature to the turning points of the pen by EM; straightens the word by them, sets it upright and to a common letter width; the word is also read with other heights of the core, and probabilities are added | `recognizers/online/normalization.py`, `slant.py`, `pitch.py` |
| annotated image | five planes of 20 rows: four orientations and turning | `recognizers/online/amap.py` |
| network | the paper's layers and field of 20 x 18, {{ maps }} | `recognizers/online/network.py` |
| segments | cuts at minima, pen lifts and level runs; up to seven pieces together
{%- if context %}; in five more planes the network also sees what stands beside a segment{% endif %} | `recognizers/online/segmentation.py` |
| character models | left-to-right, learned penalties | `recognizers/online/hmm.py` |
| lexicon | words as a minimal deterministic transducer | `grammars/lexicon.py` |
| spelling | instead of a lexicon: n-grams of letters, with failure arcs | `grammars/ngram.py` |
| beam search | composition on the fly, five best words with posteriors | `grammars/decoding.py` |

## Commands

```sh
pip install '.[readers,words]'
python -m demos.words demo                        # reads shipped ink, writes report/words.html
python -m demos.words read word.json page.inkml data/6/own/a.dat --page report/words.html
python -m demos.words read word.json --lexicon words.txt --json
python -m demos.words read word.json --free       # any letters, as they follow each other in words
python -m demos.words pad                         # a page on this machine to write on
python -m demos.words evaluate --data DIR --json  # a UNIPEN tree, or a folder of archives
python -m demos.words evaluate --data own --json  # a folder with labels.csv (file,text) and ink
python -m demos.words pad --keep own              # keeps what is written there, with its words
python -m demos.words adapt --data own --out runs/own --holdout 20      # learns that hand
python -m demos.words pad --checkpoint runs/own/words.safetensors
python -m demos.words train --task words --data own --out runs/beside --holdout 20  # beside UNIPEN
python -m demos.words beam && python -m demos.words hands && python -m demos.words spelling
python -m demos.words report
```

`read` takes JSON (`[[[x, y], …], …]`, y downwards, or `{"strokes": …, "label": …, "y": "up"}`),
InkML, and UNIPEN data files; a file that cannot be read costs one line of error. For each word the
page shows the ink with its lines, the planes, the pieces, both graphs and the five best words. The
pad listens only on 127.0.0.1 and loads nothing from elsewhere.

`evaluate` takes the same files, one word in each, with a `labels.csv` that gives their texts, and
lists what it misread. A file that cannot be read is reported and left out. The lexicon is all labels
of the folder and frequent English words, or a `--lexicon FILE`. A word that is not in that file is
reported and counts as an error, and so does a text with other characters than letters
(`not_written` in the JSON).

`train --task words` learns such a folder together with UNIPEN's words and letters (`--unipen`, or in
`GTN_DATA`), treating it as one more contributor; for a single hand `adapt` is quicker. The last
`--holdout` file names, and rows that a column `split` marks as `test`, are only measured; the figures
are in `metrics.json` beside `words.safetensors`. For a `--checkpoint` of your own, `beam` and
`spelling` write their figures beside it, too.

## How a word is read

![Words as written, laid on their lines, set upright and to one width, and scaled by their height](words/normaliser.svg)

*What the normaliser does. First column: ascender (red), core (green), base (blue) and descender
line (violet); a turning point has the colour of its most likely line. Second: the same ink with the
lines straight and on their rows. Third: set upright, and as wide as suits the number of letters
estimated from its ups and downs. Last: without the normaliser the ink fills the rows by its height
alone, so that the size of small letters depends on the other letters.*

![Planes of an annotated image](words/planes.png)

*The annotated image of the word `{{ shown.word }}`: horizontal, rising, vertical and falling ink, and
curvature. The same strokes in another order, direction or speed give the same image.*

{% if shown.pieces %}
![Pieces and letters](words/pieces.svg)

![Segmentation graph](words/segmentation.svg)

*{{ shown.count }} pieces, with the letters of the best path above them; the segmentation graph
({{ shown.segments }} arcs, each with its ink; darker is more probable), with the best path
highlighted.*

![Interpretation graph](words/interpretation.svg)

*The interpretation graph after recognition and a lexicon of {{ "{:,}".format(shown.lexicon) }}
words; penalties are in nats, darker is more probable, and only arcs of the best words are drawn.*

{% endif %}
## The test

The ink is the public pack of the UNIPEN collection (release train_r01_v07, CC BY 4.0). It is similar
to what the paper's authors used, but not the same: theirs were {{ paper_words }} lower-case words
that they collected; these are cursive or of mixed style. The pack has the ink of
{{ contributors }} contributors, with tablets of very different resolution. One fixed split
(`recognizers/online/writers.csv`) divides it by contributor and writer; packs that share people stay
on one side. No writer of the test or the validation is in training. One institution
(`{{ left_out }}`) is left out altogether and reported beside the test.

| side | writers of words | words | digits | upper | lower |
|---|---|---|---|---|---|
{% for row in sides %}
| {{ row | join(" | ") }} |
{% endfor %}

The lexicon of the test has all labels of the pack and the most frequent English words, up to
25,000 (the paper's had 25,461). Capitals count as small letters.
{% if lexicon %}
A word costs {{ lexicon.lexicon_frequency }} times minus the log of its frequency, less
{{ lexicon.lexicon_letter }} nats for each letter. The frequency is a mixture: a share of
{{ lexicon.lexicon_seen }} is the frequency in the texts of the training writers (which a reader keeps
beside its network), a share of {{ lexicon.lexicon_listed }} is uniform over the list, and the rest is
the frequency in English. These numbers were chosen on 2,598 words of the validation, at most 800 of
one contributor. Many of the collection's writers were given the same texts, so most words of the
test are in the training texts, too. In the paper all words cost the same; a table below shows what
the frequencies bring.
{% endif %}

## Isolated characters

{% if characters %}
| output | digits | upper | lower | left out: digits | upper | lower |
|---|---|---|---|---|---|---|
| the paper (other data) | 1.4% | 2.99% | 4.15% | | | |
{% for row in characters %}
| {{ row | join(" | ") }} |
{% endfor %}

The reader is told whether it reads a digit, a capital or a small letter, as in the paper, whose
figures are for hand-printed ink collected by its authors. `rbf`: squared distances to the 7 x 12
codes of the characters (eq. 7), which stay fixed, or are trained after the first 30% of the passes
(adaptive), as in the paper.
{% else %}
Not measured.
{% endif %}

## Words

Wrong words and wrong characters (insertions, deletions and substitutions), in % of the words and
characters of the test; "words" is how many words were read, sampled evenly from all.

| system | trained on | words | lexicon: word | character | none: word | character |
|---|---|---|---|---|---|---|
{% for row in paper_rows %}
| {{ row | join(" | ") }} |
{% endfor %}
{% for row in words %}
| {{ row | join(" | ") }} |
{% endfor %}

{% for line in cuts + runs %}
* {{ line }}
{% endfor %}
{% if not words %}
Ours are not measured.
{% else %}

The left-out institution (`{{ left_out }}`), whose writers were used neither for training nor for any
choice:

| system | words | lexicon: word | character | none: word | character |
|---|---|---|---|---|---|
{% for row in left_out_rows %}
| {{ row | join(" | ") }} |
{% endfor %}

What the frequency of words brings ("as told": the mixture above; most of the validation words,
sampled evenly from all, are of one contributor, `cec`):

| system | side | words | frequency | lexicon: word | character |
|---|---|---|---|---|---|
{% for row in frequencies %}
| {{ row | join(" | ") }} |
{% endfor %}

Word error of the test with the lexicon, by contributor:

| contributor | words, at most | {{ contributors_names | join(" | ") }} |
|---|---|{{ "---|" * (contributors_names | length) }}
{% for row in contributors_rows %}
| {{ row | join(" | ") }} |
{% endfor %}
{% endif %}

## Your own hand

`adapt` teaches a reader one hand from a folder of ink with its words: {{ adapting.steps }} steps of
{{ adapting.batch }} distorted words from the folder, by eq. 17, for network, geometry and character
models alike. `pad --keep` makes such a folder. The learning rate was chosen on writers of the
validation, after a rate four times as high (`hands --rate 4e-3`) had helped the writers below less.

{% if hands %}
{% for one in hands %}
`python -m demos.words hands` measures it for each writer of the test and of `{{ left_out }}` with 200
words, whom no training has seen: about {{ adapting.learned }} words are learned, and as many others
are read before and after; no word is on both sides. It starts from `{{ one.start }}` and takes
{{ "%.0f" | format(one.seconds) }} seconds a writer on {{ one.machine }}; errors in %.

| writer | word error with the lexicon: before | after | character error without: before | after |
|---|---|---|---|---|
{% for row in one.rows %}
| {{ row | join(" | ") }} |
{% endfor %}

{% endfor %}
{% else %}
Not measured.

{% endif %}
## Words that are in no list

A lexicon reads only its own words. With `--free`, `read` and `pad` read any letters, with the
probability of each given the letters before it (`demos/words/reading/spelling.py`): n-grams of
letters with back-off, counted in a million words, half of them English, half from the texts that the
reader learned from.

{% if spelling %}
| system | what may be read | word error | character error | error of new words | ms for a word |
|---|---|---|---|---|---|
{% for row in spelling %}
| {{ row | join(" | ") }} |
{% endfor %}

`python -m demos.words spelling --system NAME` reads
{{ "{:,}".format(spelling_of.n_words) }} words of the test, sampled evenly from all, each with all its
candidate lines; new words are in no training text ({% for name, count in spelling_new %}{{ count }} for {{ name }}{{ ", " if not loop.last }}{% endfor %}).
The lexicon of the task has all labels of the test, new words included. Processor time of search and
best path on one core of {{ spelling_of.machine }}. `read` uses n-grams of {{ spelling_order }}
letters; that number and their weight were chosen on 480 words of the validation, at most 60 of one
contributor. `--order` takes others, and 0 none.

{% else %}
Not measured.

{% endif %}
## Error and time against the beam

{% if beams %}
![Error and time against the beam](words/beam.svg)

| system | lexicon | words | arcs of its graph | built in | beam | word error | ms for a word | 95% | arcs kept |
|---|---|---|---|---|---|---|---|---|---|
{% for row in beams %}
| {{ row | join(" | ") }} |
{% endfor %}

For each lexicon: the widest beam, and the narrowest that loses at most {{ enough }}% of the words
against it. Processor time of search and best path on one core of {{ beam_machine }}, without the
network, each word with its best lines only. Tokens further than the beam (in nats) behind the best
one at the same point of the ink are dropped.
{% else %}
Not measured.
{% endif %}

## Right and wrong

{% if examples %}
![Words and what they were read as](words/examples.svg)

*{{ right }} of {{ examples }} right: synthetic ink, not selected, the last 16 words in a hasty hand,
read among {{ "{:,}".format(shown.lexicon) }} words by the shipped reader, with posteriors. Ink of the
collection is not shown: the notice on its original CD permits research only.*
{% else %}
No trained reader comes with the package yet.
{% endif %}
"""
