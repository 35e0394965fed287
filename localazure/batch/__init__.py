"""Runs the job of a batch deployment: its scoring script over the files of an input, in the deployment's environment.

The control plane defines a job and the location of its files; nothing here is durable.
"""
