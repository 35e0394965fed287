"""Creates the sample artefact of this folder: replace it with your own training, or only the file that it writes.

Run it in the environment of conda.yml, because only the same version of scikit-learn can read a pickle:

    uv venv --python 3.11 /tmp/train && uv pip install --python /tmp/train/bin/python <the pip lines of conda.yml>
    /tmp/train/bin/python train.py
"""

from pathlib import Path

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

FOLDER = Path(__file__).parent / "artefacts" / "blue"

random = np.random.default_rng(7)
rows = random.normal(size=(400, 2))
labels = (rows[:, 0] + 2 * rows[:, 1] > 0).astype(int)
FOLDER.mkdir(parents=True, exist_ok=True)
joblib.dump(LogisticRegression().fit(rows, labels), FOLDER / "model.joblib")
