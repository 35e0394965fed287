"""Git servers beyond git itself: pull requests, comments, issues, runs, environments, reviews; texts for people."""
