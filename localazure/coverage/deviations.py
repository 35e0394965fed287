"""Where the local Azure's answers deviate from recordings of the real service, and why. Pure data.

The conformance tests replay recordings: a difference that is not in this list fails them, and so does an entry that no
longer occurs. Deviations that tests cannot compare (no recording) are in the coverage page's prose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One kind of difference. Patterns match whole strings."""

    name: str
    step: str
    """`METHOD path` of the request, as recorded."""
    where: str
    """`status`, `header X` or the path of a leaf in the body."""
    status: str = r"\d+"
    """The recorded status."""
    seen_in: tuple[str, ...]
    """Recordings that show it; when they are replayed without it, the entry is out of date."""
    reason: str

    def covers(self, step: str, status: int, where: str) -> bool:
        patterns = ((self.step, step), (self.status, str(status)), (self.where, where))
        return all(re.fullmatch(pattern, text) for pattern, text in patterns)


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        name="Retry-After",
        step=".*",
        where="header Retry-After",
        seen_in=("online-endpoint-patch-delete", "online-deployment-sdk", "batch-endpoint-create-delete"),
        reason="Answers of long-running operations carry Retry-After (0.1 where clients read fractions, else 1), which "
        "the service never sends, so that rehearsals are fast. `--timing real` leaves it out.",
    ),
    Deviation(
        name="404 after a deletion",
        step=r"GET \{workspace\}/(online|batch)Endpoints/.*",
        status="404",
        where=r"header x-ms-failure-cause|body\.error\..*",
        seen_in=("online-deployment-delete", "batch-endpoint-create-delete"),
        reason="For a while after a deletion, both the service's own 404 and ARM's were recorded; here it is "
        "always ARM's.",
    ),
    Deviation(
        name="result of regenerateKeys",
        step=r"GET .*/mfeOperationResults/.*",
        status="404",
        where=r"status|body\..*",
        seen_in=("online-endpoint-regenerate-keys",),
        reason="The one recorded regenerateKeys lost its operation (404 OperationNotFound); here the operation can be "
        "read and ends.",
    ),
    Deviation(
        name="failures before the service",
        step=".*",
        status=r"5\d\d",
        where="status",
        seen_in=("online-deployment-delete-while-traffic-k8s",),
        reason="A failure between ARM and the service is not a behaviour; faults on command can cause one.",
    ),
    Deviation(
        name="addresses of Kubernetes endpoints",
        step=r".* \{workspace\}/onlineEndpoints/.*",
        where=r"body\.(value\[\d+\]\.)?properties\.(scoringUri|swaggerUri)",
        seen_in=("online-deployment-delete-while-traffic-k8s",),
        reason="There is no cluster with its own address: such endpoints have the local address, like managed ones.",
    ),
    Deviation(
        name="identity of batch endpoints in a test region",
        step=r".* \{workspace\}/batchEndpoints/.*",
        where=r"body\.(value\[\d+\]\.)?identity.*",
        seen_in=("batch-deployment-invoke",),
        reason="Recorded in an internal region that shows the workspace's user-assigned identity; here it is the "
        "identity type None of all other recordings of that api-version.",
    ),
    Deviation(
        name="names of batch jobs",
        step="POST /jobs",
        where=r"body\.properties\.name",
        seen_in=("batch-deployment-invoke",),
        reason="The service builds names from words; here they are local_job_ and eight digits.",
    ),
    Deviation(
        name="hashes masked by the recorder",
        step=r"GET \{workspace\}/codes/.*",
        where=r"body\.(value\[\d+\]\.)?properties\.properties\.hash_(sha256|version)",
        seen_in=("code-version-pending-upload",),
        reason="The recorder replaced the hash in one answer and kept it in another; here it is what was sent.",
    ),
    Deviation(
        name="notebooks",
        step=r"GET \{workspace\}",
        where=r"body\.properties\.notebookInfo\.fqdn",
        seen_in=("online-deployment-sdk",),
        reason="There is no notebook service; the name given is the local host.",
    ),
    Deviation(
        name="replicated uploads",
        step=r"(PUT|GET) \{workspace\}/models/.*",
        where=r"body\.(value\[\d+\]\.)?properties\.modelUri",
        seen_in=("online-deployment-sdk",),
        reason="The service of 2022 moved some uploads to a folder ServiceReplicated; here the files stay where they "
        "are.",
    ),
    Deviation(
        name="ends of batch jobs",
        step=r"GET (\{workspace\}/jobs/|/mferp/).*",
        where=r"body\.(value\[\d+\]\.)?properties\.(status|properties\.localazure\..*)",
        seen_in=(),
        reason="A job really runs here, and fails where it cannot (an input on the internet, an image without a conda "
        "file); its own properties then give the reason.",
    ),
    Deviation(
        name="ids of batch endpoints in mid-2022",
        step=r"(PUT|GET) \{workspace\}/batchEndpoints.*",
        where=r"body\.(value\[\d+\]\.)?properties\.properties\.azureml\.onlineendpointid",
        seen_in=(),
        reason="Until the middle of 2022 the service did not show azureml.onlineendpointid of a batch endpoint; the "
        "same api-version did since. Here it is shown.",
    ),
    Deviation(
        name="workspaces of mid-2022 and of 2024",
        step=r"GET (\{workspace\}|.*/workspaceOperationsStatus/.*)",
        where=r"body\.properties\.(v1LegacyMode|softDeleteEnabled|acrSkuTier|sasGetterUri|ipAllowlist|networkAcls"
        r"|serverlessComputeSettings|EnableSoftwareBillOfMaterials|enableSimplifiedCmk|enableServiceSideCMKEncryption"
        r"|allowRoleAssignmentOnRG|provisionNetworkNow|provisionedLocation|systemDatastoresAuthMode|azureOpenAI.*"
        r"|azureCognitiveSearch.*|azureAIContentSafety.*|endpointResources.*)",
        seen_in=(),
        reason="The service added fields to workspaces month by month, for the same api-versions; shown are those of "
        "late 2022 and of 2023-04-01-preview.",
    ),
    Deviation(
        name="names of required rules",
        step=r"GET \{workspace\}.*",
        where=r"body.*__SYS_PE_.*",
        seen_in=(),
        reason="The eight digits at the end of a private endpoint's name are the service's own.",
    ),
    Deviation(
        name="keys of a workspace",
        step=r"POST \{workspace\}/listKeys",
        where=r"body\.(containerRegistryCredentials|notebookAccessKeys).*",
        seen_in=(),
        reason="The registry here has no admin user, and there is no notebook service: both are null.",
    ),
    Deviation(
        name="next version of data and environments",
        step=r"GET \{workspace\}/(data|environments).*",
        where=r"body\.(value\[\d+\]\.)?properties\.nextVersion",
        seen_in=(),
        reason="The service showed the time of the request as next version of environments, and of data in lists; here "
        "it is the number after the highest one, which is what data itself shows.",
    ),
    Deviation(
        name="properties of data in lists",
        step=r"GET \{workspace\}/data/[^/]+/versions",
        where=r"body\.value\[\d+\]\.properties\.properties",
        seen_in=(),
        reason="Lists of the service show an empty object where the asset itself shows null; here both show null.",
    ),
    Deviation(
        name="insides of the service in errors",
        step="POST /jobs",
        status="4..",
        where=r"body\.error\.debugInfo.*",
        seen_in=(),
        reason="Errors of the batch data plane hold the service's stack trace; here there is none.",
    ),
    Deviation(
        name="hosts of other services",
        step="GET /discovery",
        where=r"body\..*",
        seen_in=(),
        reason="The discovery names a host for each service of a region; here all are the local host.",
    ),
)
