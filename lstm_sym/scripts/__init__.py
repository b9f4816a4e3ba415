"""What the scripts in ``analyses/`` share: options, landmarks, sweeps, and the files they write."""

from lstm_sym.scripts.landmarks import Landmark
from lstm_sym.scripts.records import Outcome
from lstm_sym.scripts.running import Run, run_script

__all__ = ["Landmark", "Outcome", "Run", "run_script"]
