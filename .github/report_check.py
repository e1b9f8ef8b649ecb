"""Keep one open issue for each scheduled check as long as it fails.

``CHECKS`` says how each ended, as GitHub writes what a job needs. A failure
opens an issue, or is added to the one that is open; a success closes it. What
was skipped says nothing; what ran out of time was cancelled, and failed.
"""

import json
import os
import subprocess

LABEL = "scheduled check"
MEANS = {
    "rebuild": "The site does not build from the live hosts with the newest "
    "packages.",
    "links": "A page links to what is not there.",
    "drift": "The hosts no longer give what the published site was made from.",
}


def gh(*words: str) -> str:
    """Return what GitHub's client prints; its failure is ours."""
    done = subprocess.run(
        ["gh", *words], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def open_issues(title: str) -> list[str]:
    """Return the numbers of the open issues of a check, oldest first."""
    # Everybody may open an issue of this title, but not label it.
    found = gh(
        *("issue", "list", "--state", "open", "--label", LABEL),
        *("--limit", "1000", "--json", "number,title"),
    )
    return sorted(
        (str(i["number"]) for i in json.loads(found) if i["title"] == title),
        key=int,
    )


def report(check: str, outcome: str, run: str) -> None:
    """Open an issue, add to it, close it, or leave all as it is."""
    title = f"Scheduled check: {check}"
    if outcome == "skipped":
        return
    numbers = open_issues(title)
    if outcome == "success":
        for number in numbers:
            gh("issue", "close", number, "--comment", f"Well again: {run}")
    elif numbers:
        gh("issue", "comment", numbers[0], "--body", f"Still so: {run}")
    else:
        gh("label", "create", LABEL, "--force")
        body = f"{MEANS[check]} What was found: {run}"
        gh(
            *("issue", "create", "--title", title, "--body", body),
            *("--label", LABEL),
        )


if __name__ == "__main__":
    here = [os.environ[f"GITHUB_{n}"] for n in ("SERVER_URL", "REPOSITORY")]
    run = "/".join([*here, "actions/runs", os.environ["GITHUB_RUN_ID"]])
    for check, job in json.loads(os.environ["CHECKS"]).items():
        report(check, job["result"], run)
