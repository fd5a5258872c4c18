"""How the tests are shared out among several test processes: by file, the longest first, so that nobody is left alone
with one at the end. What starts whole servers goes one after the other, in one process: such servers want to be quick,
and mostly wait."""

from pathlib import PurePath

from xdist.scheduler import LoadScopeScheduling

GROUPS = {
    "servers": ("test_chaos", "test_processes", "test_outages", "test_restarts", "test_idempotency_lost_answers"),
    "workers": ("test_watch", "test_sending_crashes"),
}
LONGEST = (
    "servers",
    "test_sending",
    "test_fuzz",
    "workers",  # they wait, too: not while the first do so most
    "test_guest_pages",
    "test_crawler",
    "test_previews",
    "test_reports",
    "test_guest_lists",
    "test_storage",
    "test_bucket",
    "test_guest_lists_cut_off",
    "test_any_order",
    "test_waiting",
    "test_user_command",
    "test_queries_campaigns",
    "test_queries",
    "test_engine",
    "test_limits",
)
GROUP_OF = {file: group for group, files in GROUPS.items() for file in files}


def unit_of(nodeid: str) -> str:
    """What is not taken apart: a file, or the group that it belongs to."""
    file = PurePath(nodeid.partition("::")[0]).stem
    return GROUP_OF.get(file, file)


def place_of(nodeid: str) -> int:
    """Units are handed out in the order of their places."""
    unit = unit_of(nodeid)
    return LONGEST.index(unit) if unit in LONGEST else len(LONGEST)


class Workload(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
