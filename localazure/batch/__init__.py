"""Runs the job of a batch deployment: its scoring script over the files of an input, in the deployment's environment.

What a job is and where its files lie is the control plane's business; nothing here is durable.
"""
