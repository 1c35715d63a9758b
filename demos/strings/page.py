"""The text of ``docs/strings.md``; its figures are put in by :mod:`demos.strings.report`."""

# ruff: noqa: E501  (a row of a table is one line)

__all__ = ["PAGE"]

PAGE = """\
# Lines of digits: the space displacement network

`python -m demos.strings` reads a line without segmenting it (the paper's section VII): a recognizer
of single characters is swept over the whole line in one convolutional pass, a transducer of
character models turns its outputs into a string, and one loss, eq. 17, trains both from strings
alone. `python -m demos.strings report` writes this page from `results/strings`.

| step | what it does | where |
|---|---|---|
| network | any LeNet-5, or a network for lines, at every position: penalties `[B, T, C]` | `recognizers/sdnn.py`, `lenet.py`, `lines/network.py` |
| character models | neighbouring outputs of one class are one character; two characters need a blank between them; 31 learned penalties | `grammars/characters.py` |
| grammar | none, or any: a regular expression, amounts, a fixed length | `grammars/` |
| Viterbi | the best path, frame by frame; its string's posterior exp(-E_dforw) is the confidence | `gtn.dense` |

![A line, what was read, and the outputs](strings/clean.svg)

*A line of the test; under it the characters, each between the first and the last position that
read it; then the network's outputs, one column for every second pixel, darker where more probable
(the paper's Figs. 25 and 26), with the best path in red. The second line has a tenth of its pixels
inverted.*

![A line with noise](strings/noise.svg)

## Commands

```sh
python -m demos.strings train --seed 0 --out runs/strings-0 --results results/strings
python -m demos.strings evaluate --json                # 10,000 strings of MNIST's test digits
python -m demos.strings evaluate --noise 0.1 --json
python -m demos.strings evaluate --data DIR --json     # images of lines, with labels.csv
python -m demos.strings train --data DIR --holdout 128 --strings 12000 --out runs/own
python -m demos.strings evaluate --data DIR --holdout 128 --checkpoint runs/own/strings.safetensors
python -m demos.strings compose lines lines      # something to read, of MNIST's test digits
python -m demos.strings read lines --pictures pictures --grammar '[0-9]{1,10}'
python -m demos.strings train-spotter --out runs/spotter-0 --results results/strings
python -m demos.strings train-spotter --steps 500 --no-positions --out runs/weak-0 \\
    --results results/strings
python -m demos.strings compose pages pages
python -m demos.strings spot pages/page_000.png --what 1 --picture found.svg
python -m demos.strings speed && python -m demos.strings report
```

With a `--checkpoint`, `speed` writes its figures beside it.

## Strings

There are three fixed tests: 10,000 strings of 1 to 10 of MNIST's *test* digits, with gaps between
the boxes of neighbours drawn uniformly from -1 to 4 pixels and a character missing in 5% of the
gaps; the same with a tenth of all pixels inverted; and free strings of varied size, slant and
baseline, with boxes that overlap by up to 4 pixels. Training uses the training digits and the same
recipes
({{ (100 * settings.free) | round | int }}% of the batches free, half of the lines with noise).

Three stages are compared. *Characters*: each step learns {{ settings.windows }} windows with a
character between two neighbours or, in 40% of them, none (blank), as in the paper; the transducer's
penalties are zero. *The transducer alone*: only its penalties are learned, from strings, to see how
much they contribute. *Strings*: each step learns {{ settings.lines }} lines from their texts, network
and transducer together, starting from the characters stage. Errors are in %, the mean over the seeds
and their range; a string is wrong if any character is; character errors are edit distances.

{% for reader in readers %}
### `--network {{ reader.name }}` ({{ "{:,}".format(reader.parameters) }} parameters, {{ seeds[reader.name] }} seed{{ "s" if seeds[reader.name] > 1 else "" }})

{{ reader.steps[0] }} steps on windows, {{ reader.steps[1] }} on lines.

| trained on | clean: string | character | 10% noise: string | character | free: string | character |
|---|---|---|---|---|---|---|
{% for row in reader.rows %}
| {{ row | join(" | ") }} |
{% endfor %}

Global training cuts the string error of the network trained on characters by
{{ cuts[reader.name]["characters clean"] }}% on clean strings and by
{{ cuts[reader.name]["characters noise"] }}% on noisy ones; compared with the tuned transducer, by
{{ cuts[reader.name]["transducer clean"] }}% and
{{ cuts[reader.name]["transducer noise"] }}%. All three stages took
{{ [minutes[reader.name] | first, minutes[reader.name] | last] | unique | join(" to ") }} minutes on one core of {{ machine }}, shared with
other work.

{% endfor %}
## What was chosen

* **The network.** LeNet-5 has an output for every fourth pixel, but two ones side by side are five
  pixels apart and need a blank between them. So a LeNet is swept twice, shifted by two pixels
  (`step=2`), and the default network halves the positions along the line only once.
* **The transducer.** The paper does not print its topology. Here a blank must stand between two
  characters; with `touch=0.0` contiguous characters are allowed, and the same function gives
  connectionist temporal classification exactly (tested against `torch.nn.functional.ctc_loss`).
* **Blanks.** The paper leaves proportion and gaps open. Here 40% of the windows are blank, gaps are
  uniform, and a quarter of the blanks lies before the first or after the last character.
* **Half precision.** Training computes the network in bfloat16, which is twice as fast on processors
  that support it, unless `--no-bfloat16` is given; reading uses float32.
  {% if float32_runs %}
    Trained in float32: {{ float32_runs | join(", ") }}.
  {% endif %}

{% if own %}
## Lines of your own

With `train --data DIR` half of the batches of lines come from a folder with `labels.csv`, each line
distorted anew every time. Lines that cannot be learned (characters other than digits, a text too
long for its line, a broken file) are named and left out. `evaluate` leaves out only files that are
not images (`left_out` in its JSON); a text with other characters is named, counts as an error, and
is counted under `not_written`, so that what the reader cannot write does not improve its figures.

{% for run in own %}
Here {{ run.own_lines }} lines of the folder `{{ run.data }}`
{%- if run.data == "car" %} (amount fields of real checks, with points, rules and patterns){% endif %},
{{ run.settings.strings }} steps on lines in
{{ "%.0f" | format(run.seconds.values() | sum / 60) }} minutes, measured on the
{{ run.figures.strings.own.n }} that were held out; errors in %.

| trained on | its lines: string | character | clean: string | character | free: string | character |
|---|---|---|---|---|---|---|
{% for row in run.rows %}
| {{ row | join(" | ") }} |
{% endfor %}

{% endfor %}
The reader of [checks](checks.md) reads amount fields better: its network is larger and sees higher
lines.

{% endif %}
## Speed

On one core of {{ speed.machine }}, network `{{ speed.network }}`, with transducer, best path and
confidence: processor time for one line alone, the median of 30 readings.

| line | ms | of which network | microseconds for each pixel column |
|---|---|---|---|
{% for line in speed.lines %}
| 32 x {{ line.width }} | {{ "%.2f" | format(line.ms) }} | {{ "%.2f" | format(line.network_ms) }} | {{ "%.1f" | format(line.us_per_column) }} |
{% endfor %}

What one pass saves: LeNet-5 has {{ speed.sweep.windows }} windows on a line of 32 x 400. One pass
takes {{ "%.1f" | format(speed.sweep.multiply_adds / 1e6) }} million multiply-adds and
{{ "%.2f" | format(speed.sweep.ms) }} ms; all windows as one batch
{{ "%.1f" | format(speed.sweep.multiply_adds_by_windows / 1e6) }} million and
{{ "%.2f" | format(speed.sweep.ms_by_windows) }} ms; one window after the other
{{ "%.1f" | format(speed.sweep.ms_one_by_one) }} ms.

## Spotting

A small network for digits and rubbish is swept over a page at four resolutions, half an octave
apart, to find digits from 20 to about 55 pixels high among dots, dashes, crosses, polygons and wavy
lines. Training with positions gives the class of each window, and includes digits down to 16 pixels.
Training without gives only which digits are somewhere on the page: for each digit
all windows at all resolutions are parallel arcs between two nodes, beside an arc "nowhere", and the
loss is eq. 17 for the digits on the page (the paper's proposal for faces).

![A page, the digits found, and where they are probable](strings/page.svg)

| trained | average precision | least of a digit | seeds | steps | minutes |
|---|---|---|---|---|---|
{% for spotter in spotters if spotter.seeds %}
| {{ spotter.name }} | {{ spotter.precision }} | {{ "%.3f" | format(spotter.least) }} ({{ spotter.worst }}) | {{ spotter.seeds }} | {{ spotter.steps }} | {{ "%.1f" | format(spotter.minutes) }} |
{% endfor %}

Measured on 500 fixed pages of MNIST's test digits; the mean over the ten digits. A detection counts
if its centre is in the digit's box, its height is within a factor of two of the box's, and no better
detection has claimed the same digit.
"""
