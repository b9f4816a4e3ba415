"""The commands of ``lstm-sym``, a module for each group, which adds its own to the parser."""
