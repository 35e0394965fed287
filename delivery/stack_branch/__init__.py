"""A branch per stack, for source branches that pipelines may not push to (`sluice:branch: sluice/prod`).

The branch has the source branch's tree, this stack's records, and the weights as the controller left them, so that
plain `pulumi preview` on it is true. Only pipelines write it. Without `sluice:branch`, nothing of this is used.
"""
