"""verification.py on real repositories: a proof is what the remote branch says, whatever the clone has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from command_errors import UsageError
from delivery.proofs.record_branch import RecordsUnreachable
from delivery.proofs.remote_records import BranchTip, RemoteRecords
from delivery.proofs.rollout_proof import Place, proof_in
from delivery.proofs.verification import Verdict, Verifier, proof_files, verify_files
from delivery.stack_branch.source_document import SourceDocument
from models.proof import Proof, proofs_path
from rollout.record.event import Kind
from tests.delivery.records import CONTENT, HOST, ID, SUBSCRIPTION, content_of, done, end
from tests.models.proof_files import append_proof
from tests.rollout.record.rollouts import Story
from tests.rollout.repository.clones import Checkout, Remote

pytestmark = pytest.mark.slow

DEV = "config:\n  sluice:team: payments\n"
MODEL = "fraud-detection"
OTHER = "99999999-0000-0000-0000-000000000009"
"""Another subscription."""


def proof(story: Story) -> Proof:
    found = proof_in(content_of(story), ID, Place(project="sluice", stack="dev", endpoint=MODEL))
    assert isinstance(found, Proof)
    return found


def put(checkout: Checkout, story: Story, *, stack: str = "dev", rollout: str = ID, endpoint: str = MODEL) -> None:
    """Push a record to main."""
    path = f"rollouts/{stack}/{endpoint}/{rollout}.jsonl"
    (checkout.path / path).parent.mkdir(parents=True, exist_ok=True)
    checkout.commit(path, content_of(story).decode())


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


@pytest.fixture
def runner(remote: Remote) -> Checkout:
    """Writes records, as the pipeline of dev does."""
    checkout = remote.checkout("runner")
    checkout.commit("Pulumi.dev.yaml", DEV)
    return checkout


def remote_records(checkout: Checkout, **variables: str) -> RemoteRecords:
    return RemoteRecords(checkout.path, checkout.environment | variables)


def records(checkout: Checkout, stack: str = "dev", **variables: str) -> BranchTip:
    return remote_records(checkout, **variables).of(stack)


def verify(checkout: Checkout, host: str = HOST) -> list[Verdict]:
    verifier = Verifier(files_of=remote_records(checkout).of, project="sluice", arm_host=host)
    return verify_files(checkout.path, proof_files(checkout.path, [MODEL]), verifier)


def reasons(checkout: Checkout, host: str = HOST) -> str:
    (verdict,) = verify(checkout, host)
    return "\n".join(verdict.reasons)


def reviewed(remote: Remote, line: Proof) -> Checkout:
    """A clone of depth 1 with this line of proof, as a check of a pull request has it."""
    checkout = remote.checkout("review", "--depth=1")
    append_proof(checkout.path, MODEL, line)
    return checkout


def test_a_proof_is_valid_if_the_remote_branch_has_its_record(remote: Remote, runner: Checkout) -> None:
    put(runner, done())
    (verdict,) = verify(reviewed(remote, proof(done())))
    assert verdict.valid
    assert verdict.as_values()["rollout"] == ID


def test_a_record_in_the_tree_of_the_pull_request_proves_nothing(remote: Remote, runner: Checkout) -> None:
    review = reviewed(remote, proof(done()))
    forged = review.path / f"rollouts/dev/{MODEL}/{ID}.jsonl"
    forged.parent.mkdir(parents=True)
    forged.write_bytes(content_of(done()))
    review.git("checkout", "--quiet", "-b", "promote/prod/fraud")
    review.git("add", "--all")
    review.git("commit", "--quiet", "-m", "Promote")
    review.git("push", "--quiet", "origin", "HEAD")

    assert reasons(review) == f"there is no record rollouts/dev/{MODEL}/{ID}.jsonl on main of origin"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"requests": 9000}, "it says requests 9000, but the record says 1200"),
        ({"errors": 0}, "it says errors 0, but the record says 3"),
        ({"head": "0" * 64}, "it says head 0000"),
        ({"deployment": "0" * 16}, "it says deployment 0000000000000000, but the record says aaaaaaaaaaaaaaaa"),
        ({"approvers": ("torvalds",)}, "it says approvers torvalds, but the record says grace"),
        ({"skipped_gates": ("error_rate",)}, "it says skipped_gates error_rate, but the record says none"),
        ({"synthetic": True}, "it says synthetic True, but the record says False"),
        ({"stack": "test"}, f"there is no record rollouts/test/{MODEL}/{ID}.jsonl on main of origin"),
    ],
)
def test_a_line_that_says_more_than_the_record_is_invalid(
    remote: Remote, runner: Checkout, change: dict[str, Any], said: str
) -> None:
    put(runner, done())
    assert said in reasons(reviewed(remote, replace(proof(done()), **change)))


def test_a_record_of_another_content_does_not_prove_this_one(remote: Remote, runner: Checkout) -> None:
    put(runner, done())
    assert "it says content ffff" in reasons(reviewed(remote, replace(proof(done()), content="f" * 64)))


def test_the_record_of_one_stack_that_lies_in_the_folder_of_another_proves_nothing(
    remote: Remote, runner: Checkout
) -> None:
    put(runner, done(), stack="test")
    line = replace(proof(done()), stack="test")
    assert "its stack is dev, but must be test" in reasons(reviewed(remote, line))


def test_a_line_in_the_folder_of_another_model_is_invalid(remote: Remote, runner: Checkout) -> None:
    put(runner, done(endpoint="churn"), endpoint="churn")
    line = replace(proof(done()), endpoint="churn")
    line = replace(line, head=done(endpoint="churn").events[-1].digest)
    assert reasons(reviewed(remote, line)) == f"it is about the endpoint churn, but lies in models/{MODEL}"


def test_a_rollback_after_the_promotion_makes_the_proof_invalid(remote: Remote, runner: Checkout) -> None:
    story = done()
    put(runner, story)
    review = reviewed(remote, proof(story))
    assert reasons(review) == ""

    story.at(1500, Kind.ROLLBACK_REQUESTED, by="ada", reason="bad", outcome="rolled_back", keep_weights=False)
    end(story, 1600, "rolled_back")
    put(runner, story)
    assert reasons(review).startswith("it ended as rolled back")


def test_a_record_that_was_cut_off_or_edited_on_the_branch_proves_nothing(remote: Remote, runner: Checkout) -> None:
    review = reviewed(remote, proof(done()))
    path = f"rollouts/dev/{MODEL}/{ID}.jsonl"
    put(runner, done())
    text = (runner.path / path).read_text()

    runner.commit(path, text[:-5])
    assert reasons(review) == "its last line has no end: the record was cut off"
    runner.commit(path, text.replace('"requests":1200', '"requests":9200'))
    assert "the record says 9200" in reasons(review)  # the last line has no line after it that names its hash
    runner.commit(path, text.replace("looked at it", "did not look"))
    assert "is broken at line" in reasons(review)


def test_a_squashed_and_rewritten_branch_proves_as_much_as_before(remote: Remote, runner: Checkout) -> None:
    put(runner, done())
    runner.git("checkout", "--quiet", "--orphan", "squashed")
    runner.git("commit", "--quiet", "-m", "Squash")
    runner.git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")
    assert reasons(reviewed(remote, proof(done()))) == ""


def test_a_file_of_proofs_that_a_person_edited_is_invalid(remote: Remote, runner: Checkout) -> None:
    review = reviewed(remote, proof(done()))
    path = proofs_path(review.path, MODEL, CONTENT)
    path.write_text(path.read_text() + "good enough\n")
    assert "line 2 is not JSON" in reasons(review)


# -- where the rollout took place ------------------------------------------------------------------------------------


def test_a_rehearsal_proves_nothing_for_a_real_stack_nor_a_real_rollout_for_a_rehearsal(
    remote: Remote, runner: Checkout
) -> None:
    rehearsed = done(arm_host="localhost:8443")
    put(runner, rehearsed)
    review = reviewed(remote, proof(rehearsed))
    assert reasons(review) == f"its arm host is localhost:8443, but must be {HOST}"
    assert reasons(review, "localhost:8443") == ""

    put(runner, done())
    assert reasons(review, "localhost:8443") != ""


def test_the_subscription_of_the_stack_file_on_the_branch_must_be_that_of_the_record(
    remote: Remote, runner: Checkout
) -> None:
    put(runner, done())
    review = reviewed(remote, proof(done()))
    runner.commit("Pulumi.dev.yaml", f"{DEV}  azure-native:subscriptionId: {OTHER}\n")
    assert f"but must be {OTHER}" in reasons(review)

    (review.path / "Pulumi.dev.yaml").write_text(DEV)  # what the pull request says of it does not count
    assert f"but must be {OTHER}" in reasons(review)


def test_without_a_declared_subscription_it_is_that_of_the_rollout_before(remote: Remote, runner: Checkout) -> None:
    before = "20261126T140000Z-green"
    put(runner, done(id=before, subscription=OTHER, endpoint="churn"), rollout=before, endpoint="churn")
    put(runner, done())
    review = reviewed(remote, proof(done()))
    assert f"but must be {OTHER}" in reasons(review)

    runner.commit("Pulumi.dev.yaml", f"{DEV}  azure-native:subscriptionId: 00000000-0000-0000-0000-000000000001\n")
    assert reasons(review) == ""  # the stack has moved, and its file says so


def test_a_rehearsals_record_before_does_not_say_where_the_stack_is(remote: Remote, runner: Checkout) -> None:
    before = "20261126T140000Z-green"
    put(runner, done(id=before, subscription=OTHER, arm_host="localhost:8443"), rollout=before)
    put(runner, done())
    assert reasons(reviewed(remote, proof(done()))) == ""


# -- which branch, and whether it can be read ------------------------------------------------------------------------


def test_the_branch_is_the_default_one_or_the_target_of_the_pull_request(remote: Remote, runner: Checkout) -> None:
    runner.git("push", "--quiet", "origin", "HEAD:refs/heads/release")
    assert records(runner).branch == "main"
    assert records(runner, GITHUB_BASE_REF="release").branch == "release"
    assert records(runner, SYSTEM_PULLREQUEST_TARGETBRANCH="refs/heads/release").branch == "release"


def test_a_branch_that_is_not_there_is_not_reachable(remote: Remote, runner: Checkout) -> None:
    with pytest.raises(RecordsUnreachable, match="origin has no branch gone"):
        records(runner, GITHUB_BASE_REF="gone")


def test_a_remote_that_is_gone_is_not_reachable(remote: Remote, runner: Checkout) -> None:
    remote.path.rename(remote.folder / "elsewhere.git")
    with pytest.raises(RecordsUnreachable, match="the default branch of origin is not known"):
        records(runner)
    with pytest.raises(RecordsUnreachable, match="does not appear to be a git repository"):
        records(runner, GITHUB_BASE_REF="main")


def test_a_folder_without_an_origin_is_refused(remote: Remote, runner: Checkout) -> None:
    runner.git("remote", "remove", "origin")
    with pytest.raises(UsageError, match="is not a clone with a remote origin"):
        records(runner)


def test_a_project_in_a_folder_of_its_repository_finds_its_records(remote: Remote, runner: Checkout) -> None:
    path = f"ml/rollouts/dev/{MODEL}/{ID}.jsonl"
    (runner.path / path).parent.mkdir(parents=True)
    runner.commit(path, content_of(done()).decode())
    found = RemoteRecords(runner.path / "ml", runner.environment).of("dev")
    assert found.read(f"rollouts/dev/{MODEL}/{ID}.jsonl") == content_of(done())
    assert found.rollouts("dev") == ((ID, MODEL),)


# -- a branch per stack ----------------------------------------------------------------------------------------------


def source_document(subscription: str, arm_host: str = HOST) -> str:
    return SourceDocument(branch="main", commit="0" * 40, at=0, subscription=subscription, arm_host=arm_host).text()


def test_a_stack_with_a_branch_of_its_own_has_its_records_and_its_place_there(remote: Remote, runner: Checkout) -> None:
    runner.commit("Pulumi.dev.yaml", f"{DEV}  sluice:branch: sluice/dev\n")
    put(runner, done())  # on main, where records prove nothing any more
    review = reviewed(remote, proof(done()))
    with pytest.raises(RecordsUnreachable, match="origin has no branch sluice/dev"):
        verify(review)

    runner.git("checkout", "--quiet", "-b", "sluice/dev")
    for subscription, said in ((OTHER, f"but must be {OTHER}"), (SUBSCRIPTION, "")):
        (runner.path / "rollouts/dev/source.json").write_text(source_document(subscription))
        runner.git("add", "--all")
        runner.git("commit", "--quiet", "-m", "Sync")
        runner.git("push", "--quiet", "origin", "HEAD:refs/heads/sluice/dev")
        assert said in reasons(review)
    assert reasons(review, "localhost:8443") == ""  # source.json says where, whatever this shell works against


def test_the_branch_that_a_pull_request_names_for_a_stack_does_not_count(remote: Remote, runner: Checkout) -> None:
    put(runner, done())
    review = reviewed(remote, proof(done()))
    (review.path / "Pulumi.dev.yaml").write_text(f"{DEV}  sluice:branch: mallory\n")
    assert records(review).branch == "main"
