"""What every other package stands on: errors, configs, files, stages, machine, metrics, progress.

Knows nothing of text, tensors' meaning, models or commands.
"""
