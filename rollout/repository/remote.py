"""The remote of a clone: fetch a branch, push a commit to it. What it refuses becomes an error with its own words."""

from __future__ import annotations

from rollout.errors import PushRefused
from rollout.repository.git import Git, Said, network_error
from rollout.repository.push import Answer, answer_of, refusal_in

REMOTE = "origin"


class Remote:
    """`origin` of one clone. Raises PushRefused and PushUnanswered."""

    def __init__(self, git: Git) -> None:
        self._git = git

    @staticmethod
    def tracking(branch: str) -> str:
        """The ref that holds what the last fetch of a branch found."""
        return f"refs/remotes/{REMOTE}/{branch}"

    def fetch(self, branch: str, seconds: float) -> str | None:
        """Return the tip of a branch on the remote, None if the branch is not there.

        Only a shallow clone is fetched with a depth: in a full one that would cut off its history.
        """
        refspec = f"+refs/heads/{branch}:{self.tracking(branch)}"
        said = self._git.ask("fetch", "--quiet", "--no-tags", *self._depth(), REMOTE, refspec, seconds=seconds)
        if said is not None and "couldn't find remote ref" in said.stderr:
            return None
        if said is None or said.returncode:
            raise network_error(said, f"git fetch of {branch}")
        return self._git.text("rev-parse", self.tracking(branch))

    def fetch_commit(self, commit: str, seconds: float) -> None:
        """Fetch one commit by its id, without its history. Raises PushUnanswered if the remote does not have it."""
        said = self._git.ask("fetch", "--quiet", "--no-tags", "--depth=1", REMOTE, commit, seconds=seconds)
        if said is None or said.returncode:
            raise network_error(said, f"git fetch of {commit}")

    def push(self, commit: str, branch: str, seconds: float) -> Answer:
        """Push a commit, never forced: TAKEN, or RACED where another push was first. Anything else raises."""
        asked = f"git push of {branch}"
        said = self._git.ask("push", "--porcelain", REMOTE, f"{commit}:refs/heads/{branch}", seconds=seconds)
        answer = answer_of(said.text) if said else Answer.NONE
        if said is None or (answer is Answer.NONE and (said.returncode != 1 or "fatal:" in said.stderr)):
            raise network_error(said, asked)
        if answer is Answer.REFUSED:
            raise PushRefused(_refusal(branch, said))
        if answer is Answer.NONE:
            raise PushRefused(f"{asked}: {said.reason}. Nothing was changed. A pre-push hook of this clone refused it.")
        return answer

    def _depth(self) -> list[str]:
        return ["--depth=1"] if self._git.text("rev-parse", "--is-shallow-repository") == "true" else []


def _refusal(branch: str, said: Said) -> str:
    reason = refusal_in(said.text)
    served = said.reason if said.reason != "no reason given" else reason
    return (
        f"origin refused the push of {branch} ({reason}): {served}. Nothing was changed. Let this account "
        "push to the branch (if it is protected, by a rule that it may bypass), give the stack a branch of its own "
        "(sluice:branch), or run without --push."
    )
