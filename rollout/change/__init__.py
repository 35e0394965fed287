"""One change of weights, crash-safe: intent, stack file, commit and push, preview, up, two readings, `applied`.

After each part the process may die. The record's tail and Azure then say what was done, and `WeightChange.resume` or
`confirm` does the rest. A way back waits for neither push nor preview, and takes nothing else of the stack along.
"""
