"""`python -m localazure.coverage > localazure/COVERAGE.md` writes the coverage page."""

from localazure.coverage.page import render

if __name__ == "__main__":
    print(render(), end="")
