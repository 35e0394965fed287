"""The errors of a model's files and of their publication.

ModelError              the model cannot be used; nothing was changed; `problems` has every known reason
├── LibraryError        azure-ai-ml itself cannot run (models/azureml.py)
├── LockError           the release lock cannot be read or written
├── ReleaseError        a release document is missing, invalid or cannot be written (models/release_document.py)
├── ProofError          a file of proofs is invalid, or cannot be read or written (models/proof.py)
├── NotPublishedError   content that a stack declares is not published to it, or has changed since
└── PublishError        publishing failed; uploaded files stay, and the next run finds them
    ├── NoUploadRightError      the caller has no right to write to the storage account
    ├── OutsideNetworkError     the storage account does not accept requests from the caller's network
    └── StorageUnavailableError the storage account cannot be reached or fails
"""

from collections.abc import Iterable

from exit_codes import ExitCode
from problem import Problem


class ModelError(ValueError):
    """The model cannot be used; the message lists everything that is wrong."""

    exit_code = ExitCode.USAGE
    problems: tuple[Problem, ...] = ()


class ModelFilesError(ModelError):
    """Everything that is wrong with one model's files, together."""

    def __init__(self, model: str, problems: Iterable[Problem]) -> None:
        self.model = model
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.file, problem.what)))
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"The files of model {model} have {count}; nothing was changed:{lines}")


class ReleaseError(ModelError):
    """A release document is missing, invalid or cannot be written; `reasons` has everything that is wrong with it."""

    def __init__(self, what: str, reasons: Iterable[str], fix: str) -> None:
        self.reasons = tuple(reasons)
        self.what_is_wrong = f"{what}: {'; '.join(self.reasons)}"
        self.fix = fix
        super().__init__(f"{self.what_is_wrong}. {fix}")


class LockError(ModelError):
    """The release lock cannot be read or written."""


class ProofError(ModelError):
    """A file of proofs is invalid, or cannot be read or written."""


class NotPublishedError(ModelError):
    """Content that a stack declares is not published to it, or has changed since."""


class PublishError(ModelError):
    """Publishing failed; uploaded files stay, and the next run finds them."""


class NoUploadRightError(PublishError):
    """The caller has no right to write to the storage account."""


class OutsideNetworkError(PublishError):
    """The storage account does not accept requests from the caller's network."""


class StorageUnavailableError(PublishError):
    """The storage account cannot be reached or fails."""

    exit_code = ExitCode.UNAVAILABLE
