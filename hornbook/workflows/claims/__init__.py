"""Sentences of any introduction to language models as experiments: each gets a verdict.

A claim is a file in `statements/`: a function of a laboratory and a seed under the decorator
`statement`, which gives the sentence, the experiment, the measure and what the picture shows, each
in English and Chinese. Nothing else has to be entered anywhere. The function trains what it needs
by `lab.train` (the one run of the house, in a folder of its own that is reused and resumed; two
claims that ask for the same run share it; `bodies` has what is pretrained for several, `classified`
what classifiers share), compares, and returns a `Trial`: gains in the claimed direction, one a
sample (paired: the same texts, windows or images), the marks of its picture, and `also` where a
claim has two sides or a price. It lasts about
half a minute at `lab.scale` 1 on two cores and does work that grows with the scale
(`lab.scaled(count)`). Seeds, minutes, intervals, verdicts, JSON and the page are the frame's
(`chapter`, `judge`, `page`). Data comes from `lab.text(name)` and `lab.labelled(name)`; what a name
is, with --data and without, stands in the tables of `sources`.
"""
