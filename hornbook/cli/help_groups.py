"""How help pages are ordered: the group of every option, and the word for its value.

One table for all commands, so that an option stands under the same heading everywhere.
"""

COMMANDS = {
    "Data": "corpus tokenizer",
    "Documents": "index search ask filter",
    "Training": "quickstart plan pretrain finetune compare doctor",
    "Use": "generate chat classify decide translate summarize embed serve studio",
    "Measurement": "evaluate bench",
    "Understanding": "trace biography explain memorization claims",
    "Exchange": "pull export",
}

OPTIONS = {
    "Task": "task position prompt system words shots question questions score examples",
    "Data": "corpus pairs validation test images image data text file column text_column "
    "label_column text_field domain general good bad against group validation_share strict longest",
    "Documents": "remove encoder wait watch make_questions index.questions",
    "Search": "ask.strict quotes least places count by source folder since until in_language "
    "metadata rerank",
    "Budget": "minutes hours kwh watts tokens epochs dry_run",
    "Model": "model teacher family preset init depth width heads context",
    "Tokenizer": "tokenizer vocab_size",
    "Training": "method rate beta reward group_size teacher_weight on_policy compare class_weights "
    "rows micro_rows isolate keep canaries retrain others",
    "Generation": "max_tokens temperature top_k top_p min_p presence_penalty "
    "frequency_penalty repetition_penalty repetition_window logit_bias top_logprobs stop beam "
    "length_penalty part lead sentences",
    "Server": "serve.index studio.folder studio.index host port no_browser allow_host "
    "serve.context most_tokens slots queue timeout drain log_texts",
    "Form of the answer": "json_schema regex choices choice",
    "Measurement": "folds test_limit limit rung only list_ curve register rule each length streams "
    "samples passages bench.tokens rounds explain.test contexts window draws drill",
    "Reproducibility": "seed recipe set_",
    "Hardware and speed": "device dtype compiled shard recompute weights draft runner",
    "Output": "to type_ importance out html resume json",
}
"""By heading, in the order of a page. command.option: an option that means something else there."""

VALUES = {
    "MINUTES": "minutes",
    "HOURS": "hours",
    "KWH": "kwh",
    "WATTS": "watts",
    "SECONDS": "timeout drain",
    "TOKENS": "tokens max_tokens longest part context vocab_size length most_tokens "
    "repetition_window window",
    "NAME": "task reward family preset method device dtype rung rule runner to type_ weights draft "
    "model column text_column label_column only text_field group class_weights encoder teacher by "
    "rerank",
    "LANGUAGE": "language in_language",
    "BLOCKS": "depth",
    "CHANNELS": "width",
    "HEADS": "heads",
    "ROWS": "rows micro_rows",
    "EPOCHS": "epochs",
    "PARTS": "folds",
    "ITEMS": "test_limit limit each quotes places others keep contexts draws samples passages "
    "canaries",
    "EXAMPLES": "shots",
    "SENTENCES": "lead sentences",
    "STREAMS": "streams",
    "ROUNDS": "rounds",
    "KEY=VALUE": "set_ metadata",
    "DATE": "since until",
    "TOKEN=BIAS": "logit_bias",
    "LABEL=WORD": "words",
    "COUNTS": "curve",
    "SHARE": "validation_share teacher_weight on_policy top_p min_p",
    "SOURCE": "sources remove source good bad against domain general importance",
    "PATTERN": "regex",
    "SCALE": "score",
    "SCHEMA": "json_schema",
}
"""What stands for an option's value where its type says too little."""

TYPES = {"int": "NUMBER", "float": "NUMBER", "Path": "PATH", "str": "TEXT"}
"""What stands for any other value."""


GROUPS = ("Arguments", *OPTIONS, "Options")
"""All headings of arguments and options; the last one is for those of every command."""


def group_of(option: str, command: str) -> str:
    """The heading that an option stands under."""
    by_name = {name: group for group, names in OPTIONS.items() for name in names.split()}
    return by_name.get(f"{command}.{option}") or by_name.get(option, GROUPS[-1])


def value_of(option: str, type_name: str) -> str:
    """The word for an option's value."""
    by_name = {name: value for value, names in VALUES.items() for name in names.split()}
    return by_name.get(option) or TYPES.get(type_name, type_name.upper())
