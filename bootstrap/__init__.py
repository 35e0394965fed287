"""What the platform team creates once per environment, before the team's first update: state, secrets key, resource
group, and the two identities of the pipelines. A Pulumi project of its own (Pulumi.yaml in this folder).
"""
